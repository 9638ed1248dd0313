package prometheus

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/refresh"
	"github.com/prometheus/prometheus/discovery/targetgroup"

	"github.com/mcp-sd/mcp-sd/target"
)

type duration = model.Duration

func set(pairs ...string) model.LabelSet {
	s := model.LabelSet{}
	for i := 0; i < len(pairs); i += 2 {
		s[model.LabelName(pairs[i])] = model.LabelValue(pairs[i+1])
	}
	return s
}

// refreshing is a mechanism on Prometheus' own refresh package.
func refreshing(name string, every time.Duration, f func(o discovery.DiscovererOptions) ([]*targetgroup.Group, error)) *script {
	return &script{name: name, RefreshInterval: duration(every), run: func(ctx context.Context, o discovery.DiscovererOptions, m *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
		refresh.NewDiscovery(refresh.Options{
			Logger: o.Logger, Mech: name, Interval: every, MetricsInstantiator: given{m},
			RefreshF: func(context.Context) ([]*targetgroup.Group, error) { return f(o) },
		}).Run(ctx, up)
	}}
}

// send is how a mechanism has to send.
func send(ctx context.Context, up chan<- []*targetgroup.Group, groups []*targetgroup.Group) {
	select {
	case up <- groups:
	case <-ctx.Done():
	}
}

type given struct{ m *discovery.RefreshMetrics }

func (s given) Instantiate(string, string) *discovery.RefreshMetrics { return s.m }

// watched runs a source for a time of the bubble's clock, and returns what it said.
func watched(t *testing.T, s target.Watcher, length time.Duration) []target.Listing {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var all []target.Listing
	if err := s.Watch(ctx, func(l target.Listing) { all = append(all, l) }); err != nil {
		t.Error(err)
	}
	return all
}

// latest folds listings: the last good content of each part, and its error now.
func latest(all []target.Listing) (good map[string]string, failed map[string]error) {
	good, failed = map[string]string{}, map[string]error{}
	for _, l := range all {
		for _, p := range l.Parts {
			failed[p.Name] = p.Err
			if p.Err == nil && !p.Unchanged {
				good[p.Name] = addresses(p)
			}
		}
	}
	return good, failed
}

// ever is the first failure of a part in listings.
func ever(all []target.Listing, name string) target.Part {
	for _, l := range all {
		for _, p := range l.Parts {
			if p.Name == name && p.Err != nil {
				return p
			}
		}
	}
	return target.Part{Name: name}
}

// Contract §4: a refresh that fails is a failed part that says why, and touches no
// other; the first good one after it mends.
func TestFailedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := scripted(t, time.Minute,
			refreshing("nomad", time.Minute, func(discovery.DiscovererOptions) ([]*targetgroup.Group, error) {
				if n++; n == 2 || n == 3 {
					return nil, errors.New("403 Permission denied")
				}
				return []*targetgroup.Group{group("Nomad", "10.0.0.1:1")}, nil
			}),
			refreshing("docker", time.Minute, func(discovery.DiscovererOptions) ([]*targetgroup.Group, error) {
				return []*targetgroup.Group{group("Docker", "10.0.0.2:1")}, nil
			}))
		all := watched(t, s, 150*time.Second)
		good, failed := latest(all)
		if failed["docker[0]"] != nil || good["docker[0]"] != "10.0.0.2:1" || good["nomad[0]"] != "10.0.0.1:1" {
			t.Errorf("good %v, failed %v", good, failed)
		}
		failure(t, target.Part{Err: failed["nomad[0]"]}, Refresh, "403 Permission denied")
		n = 3
		if _, failed := latest(watched(t, s, 10*time.Second)); failed["nomad[0]"] != nil {
			t.Error("it has not recovered:", failed)
		}
	})
}

// A counter of the mechanism's own that rises, as that of failed DNS lookups does,
// says that an answer lacks something, although one is sent.
func TestShortAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := scripted(t, time.Minute, &script{name: "dns", RefreshInterval: duration(time.Minute), run: func(ctx context.Context, o discovery.DiscovererOptions, m *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
			failures := counter(o, "prometheus_sd_dns_lookup_failures_total")
			refresh.NewDiscovery(refresh.Options{Logger: o.Logger, Interval: time.Minute, MetricsInstantiator: given{m}, RefreshF: func(context.Context) ([]*targetgroup.Group, error) {
				if n++; n == 1 || n == 3 {
					failures.Inc()
					o.Logger.Error("Error refreshing DNS targets", "err", errors.New("could not resolve b"))
					return []*targetgroup.Group{group("a", "10.0.0.1:1")}, nil
				}
				return []*targetgroup.Group{group("a", "10.0.0.1:1"), group("b", "10.0.0.2:1")}, nil
			}}).Run(ctx, up)
		}})
		first := s.Discover(t.Context()).Parts[0]
		failure(t, first, Refresh, "Error refreshing DNS targets: could not resolve b")
		good, failed := latest(watched(t, s, 70*time.Second))
		if good["dns[0]"] != "10.0.0.1:1 10.0.0.2:1" {
			t.Errorf("good is %v", good)
		}
		failure(t, target.Part{Err: failed["dns[0]"]}, Refresh, "could not resolve b")
	})
}

// Some mechanisms leave out what they could not read, and only warn.
func TestOwnsUpToLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, time.Minute, refreshing("ovhcloud", time.Minute, func(o discovery.DiscovererOptions) ([]*targetgroup.Group, error) {
			o.Logger.Warn("ovhcloud_vps: Could not get details of vps-1", "err", "429")
			return []*targetgroup.Group{group("ovhcloud_vps", "10.0.0.1:1")}, nil
		}))
		failure(t, s.Discover(t.Context()).Parts[0], Refresh, "Could not get details of vps-1: 429")
	})
}

// Silence beyond three intervals is a failure; an answer without targets is none.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := scripted(t, 20*time.Second,
			&script{name: "gce", RefreshInterval: duration(20 * time.Second), run: func(ctx context.Context, _ discovery.DiscovererOptions, _ *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
				send(ctx, up, []*targetgroup.Group{group("GCE", "10.0.0.1:1")})
				<-ctx.Done()
			}},
			refreshing("hetzner", 20*time.Second, func(discovery.DiscovererOptions) ([]*targetgroup.Group, error) {
				if n++; n > 1 {
					return []*targetgroup.Group{group("hetzner")}, nil
				}
				return []*targetgroup.Group{group("hetzner", "10.0.0.2:1")}, nil
			}))
		good, failed := latest(watched(t, s, 59*time.Second))
		if failed["gce[0]"] != nil || good["gce[0]"] == "" {
			t.Errorf("before: %v %v", good, failed)
		}
		n = 0
		all := watched(t, s, 70*time.Second)
		good, failed = latest(all)
		failure(t, ever(all, "gce[0]"), Silent, "nothing was heard of it for 1m0s, the time of 3 refreshes")
		if failed["hetzner[0]"] != nil || good["hetzner[0]"] != "" {
			t.Errorf("an empty answer: %v, %v", good, failed)
		}
	})
}

// One that never answers is a failure after source_timeout, and holds up nobody.
func TestNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := &script{name: "azure", RefreshInterval: duration(5 * time.Minute), run: func(ctx context.Context, _ discovery.DiscovererOptions, _ *discovery.RefreshMetrics, _ chan<- []*targetgroup.Group) {
			<-ctx.Done()
			<-time.After(30 * time.Second) // it looks at its context between questions only
		}}
		well := refreshing("vultr", time.Minute, func(discovery.DiscovererOptions) ([]*targetgroup.Group, error) {
			return []*targetgroup.Group{group("Vultr", "10.0.0.1:1")}, nil
		})
		s := scripted(t, time.Minute, deaf, well)
		began := time.Now()
		l := s.Discover(t.Context())
		failure(t, l.Parts[0], NoAnswer, "it has not answered")
		if !errors.Is(l.Parts[0].Err, context.DeadlineExceeded) || addresses(l.Parts[1]) != "10.0.0.1:1" || time.Since(began) > 13*time.Second {
			t.Errorf("%v after %s", l.Parts, time.Since(began))
		}
		all := watched(t, s, time.Minute)
		if len(all) == 0 || len(all[0].Parts) != 2 {
			t.Fatalf("listings %v", all)
		}
		failure(t, all[0].Parts[0], NoAnswer, "within source_timeout (10s)")
		time.Sleep(time.Minute) // of the bubble: what was left alone ends
	})
}

// One that hangs in a question and heeds no context is given up after its silence and
// started anew, but not without bounds; it ends when the connection does.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan struct{})
		var started atomic.Int32
		s := scripted(t, time.Minute, &script{name: "nomad", RefreshInterval: duration(time.Minute), run: func(ctx context.Context, _ discovery.DiscovererOptions, _ *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
			if started.Add(1) == 2 {
				send(ctx, up, []*targetgroup.Group{group("Nomad", "10.0.0.1:1")})
			}
			<-closed
		}})
		good, failed := latest(watched(t, s, 5*time.Minute))
		if started.Load() != 2 || good["nomad[0]"] != "10.0.0.1:1" || failed["nomad[0]"] != nil {
			t.Errorf("started %d times: %v %v", started.Load(), good, failed)
		}
		_, failed = latest(watched(t, s, time.Hour))
		failure(t, target.Part{Err: failed["nomad[0]"]}, Silent, "nothing was heard of it for 3m0s")
		if n := started.Load(); n != mostRunning {
			t.Errorf("started %d times", n)
		}
		close(closed)
		watched(t, s, time.Minute)
		if started.Load() <= mostRunning {
			t.Error("it was not started again")
		}
	})
}

// A mechanism that can't begin, or ends by itself, is tried again.
func TestStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Time
		ends := &script{name: "triton", RefreshInterval: duration(time.Minute), run: func(ctx context.Context, _ discovery.DiscovererOptions, _ *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
			if starts = append(starts, time.Now()); len(starts) == 1 {
				return
			}
			send(ctx, up, []*targetgroup.Group{group("a", "10.0.0.1:1")})
			<-ctx.Done()
		}}
		broken := &script{name: "uyuni", fails: errors.New("no such certificate")}
		all := watched(t, scripted(t, time.Minute, ends, broken), 30*time.Second)
		failure(t, all[0].Parts[0], NotStarted, "it ended by itself")
		failure(t, all[0].Parts[1], NotStarted, "starting it: no such certificate")
		if good, failed := latest(all); good["triton[0]"] != "10.0.0.1:1" || failed["triton[0]"] != nil {
			t.Errorf("%v %v", good, failed)
		}
		if after := starts[1].Sub(starts[0]); after < time.Second || after > 2*time.Second {
			t.Errorf("it was started again after %s (contract §4)", after)
		}
	})
}

// A stream's first set comes in pieces: it counts once nothing more has come, and
// silence afterwards is no failure.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, time.Minute, &script{name: "serverset", run: func(ctx context.Context, o discovery.DiscovererOptions, _ *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
			for _, a := range []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"} {
				send(ctx, up, []*targetgroup.Group{group("/mcp/"+a, a)})
				target.Pause(ctx, time.Second)
			}
			target.Pause(ctx, 10*time.Minute)
			send(ctx, up, []*targetgroup.Group{group("/mcp/10.0.0.2:1")})
			<-ctx.Done()
		}})
		all := watched(t, s, 9*time.Minute)
		if got := addresses(all[0].Parts[0]); got != "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1" {
			t.Errorf("the first listing has %q", got)
		}
		for _, l := range all {
			if l.Failed() {
				t.Errorf("silence of a stream is no failure: %+v", l)
			}
		}
		if good, _ := latest(watched(t, s, 12*time.Minute)); good["serverset[0]"] != "10.0.0.1:1 10.0.0.3:1" {
			t.Errorf("afterwards %v", good)
		}
	})
}

// A stream whose connection or tree is broken has failed until it says that it is
// mended.
func TestBrokenStream(t *testing.T) {
	for name, log := range map[string]struct{ broken, mended string }{
		"tree":       {zkLost, zkSynchronised},
		"connection": {zkUnreachable, zkConnected},
		"silence":    {zkSilent, zkConnected},
		"no session": {zkUnanswered, zkConnected},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := scripted(t, time.Minute, &script{name: "nerve", run: func(ctx context.Context, o discovery.DiscovererOptions, _ *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
					send(ctx, up, []*targetgroup.Group{group("a", "10.0.0.1:1")})
					target.Pause(ctx, time.Minute)
					o.Logger.Info(log.broken)
					target.Pause(ctx, time.Minute)
					send(ctx, up, []*targetgroup.Group{group("b", "10.0.0.2:1")})
					target.Pause(ctx, time.Minute)
					o.Logger.Info(log.mended)
					<-ctx.Done()
				}})
				good, failed := latest(watched(t, s, 170*time.Second))
				failure(t, target.Part{Err: failed["nerve[0]"]}, Refresh, "")
				if good["nerve[0]"] != "10.0.0.1:1" {
					t.Errorf("good is %v", good)
				}
				good, failed = latest(watched(t, s, 200*time.Second))
				if failed["nerve[0]"] != nil || good["nerve[0]"] != "10.0.0.1:1 10.0.0.2:1" {
					t.Errorf("%v %v", good, failed)
				}
			})
		})
	}
}

// A stream that could not be reached at first is not empty because it can be now: its
// first set is waited for.
func TestStreamComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, time.Minute, &script{name: "nerve", run: func(ctx context.Context, o discovery.DiscovererOptions, _ *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
			o.Logger.Info(zkUnreachable)
			target.Pause(ctx, time.Minute)
			o.Logger.Info(zkConnected)
			target.Pause(ctx, 5*time.Minute)
			send(ctx, up, []*targetgroup.Group{group("a", "10.0.0.1:1")})
			<-ctx.Done()
		}})
		if good, failed := latest(watched(t, s, 5*time.Minute)); len(good) > 0 || failed["nerve[0]"] == nil {
			t.Errorf("before it sent anything: %v %v", good, failed)
		}
		if good, failed := latest(watched(t, s, 7*time.Minute)); good["nerve[0]"] != "10.0.0.1:1" || failed["nerve[0]"] != nil {
			t.Errorf("afterwards: %v %v", good, failed)
		}
	})
}

// A failure that nobody logs has a text all the same.
func TestCountedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, 15*time.Second, &script{name: "kuma", RefreshInterval: duration(15 * time.Second), run: func(ctx context.Context, o discovery.DiscovererOptions, _ *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
			failures := counter(o, "prometheus_sd_kuma_fetch_failures_total")
			send(ctx, up, []*targetgroup.Group{group("kuma", "10.0.0.1:1")})
			target.Pause(ctx, 15*time.Second)
			failures.Inc()
			<-ctx.Done()
		}})
		failure(t, ever(watched(t, s, 20*time.Second), "kuma[0]"), Refresh, "its counters say")
	})
}

// Kuma answers that nothing has changed by a counter alone, and fails by one.
func TestUnchangedAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scripted(t, 15*time.Second, &script{name: "kuma", RefreshInterval: duration(15 * time.Second), run: func(ctx context.Context, o discovery.DiscovererOptions, _ *discovery.RefreshMetrics, up chan<- []*targetgroup.Group) {
			skipped, failures := counter(o, "prometheus_sd_kuma_fetch_skipped_updates_total"), counter(o, "prometheus_sd_kuma_fetch_failures_total")
			send(ctx, up, []*targetgroup.Group{group("kuma", "10.0.0.1:1")})
			for range 10 {
				target.Pause(ctx, 15*time.Second)
				skipped.Inc()
			}
			target.Pause(ctx, 15*time.Second)
			o.Logger.Error("error parsing resources", "err", errors.New("connection refused"))
			failures.Inc()
			target.Pause(ctx, 15*time.Second)
			skipped.Inc()
			<-ctx.Done()
		}})
		for length, want := range map[time.Duration]bool{160 * time.Second: false, 170 * time.Second: true, 190 * time.Second: false} {
			good, failed := latest(watched(t, s, length))
			if (failed["kuma[0]"] != nil) != want || good["kuma[0]"] != "10.0.0.1:1" {
				t.Errorf("after %s: %v %v", length, good, failed)
			}
		}
		failure(t, ever(watched(t, s, 175*time.Second), "kuma[0]"), Refresh, "error parsing resources: connection refused")
	})
}

// What a server says in an error is told in one line that a terminal can take.
func TestErrorText(t *testing.T) {
	r := slog.NewRecord(now, slog.LevelError, refreshFailed, 0)
	r.AddAttrs(slog.String("err", "500 (\x1b[31mno\nleader\xff"+strings.Repeat("é", 300)))
	if got := textOf(r); !strings.HasPrefix(got, "500 ( [31mno leader�é") || len(got) > longest+len("…") || !utf8.ValidString(got) {
		t.Errorf("%q", got)
	}
}

// What the mechanism logs is kept at level debug, whatever its own.
func TestLog(t *testing.T) {
	var at []slog.Level
	e := newEar(traits{}, slog.New(levels{&at}))
	slog.New(e).With("a", 1).WithGroup("g").Error("broken")
	if len(at) != 1 || at[0] != slog.LevelDebug {
		t.Errorf("logged at %v", at)
	}
}

type levels struct{ at *[]slog.Level }

func (levels) Enabled(context.Context, slog.Level) bool { return true }
func (l levels) Handle(_ context.Context, r slog.Record) error {
	*l.at = append(*l.at, r.Level)
	return nil
}
func (l levels) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l levels) WithGroup(string) slog.Handler      { return l }

package metrics

import "github.com/prometheus/client_golang/prometheus"

// A label has a name and the words that it may say.
type label struct {
	name  string
	words *words
}

// labels returns a list of labels; the names are those of the metric.
func labels(l ...label) []label { return l }

// define makes every metric, a line or two for each: this is the table that
// rules, queries and dashboards are written for.
func (m *Metrics) define(d definer) {
	w := d.words
	tool := label{"tool_name", w.tools}
	toolStatus := label{"status", w.status}

	m.toolInvocations = d.counter("tool_invocations_total", "Tool calls that ended, by outcome and the caller's tier.",
		labels(tool, toolStatus, label{"user_tier", w.tiers})).zeroed()
	m.toolDuration = d.histogram("tool_duration_seconds", "How long tool calls took.",
		labels(tool, toolStatus), .05, .1, .25, .5, 1, 2.5, 5, 10)
	m.toolErrors = d.counter("tool_errors_total", "Tool calls that failed, by kind of failure.",
		labels(tool, label{"error_type", w.errorTypes})).zeroed()

	widget, mode := label{"widget_type", w.widgets}, label{"display_mode", w.modes}
	m.widgetRenders = d.counter("widget_renders_total", "Widgets that were rendered.",
		labels(widget, mode)).zeroed()
	m.renderDuration = d.histogram("widget_render_duration_seconds", "How long rendering a widget took.",
		labels(widget, mode), .01, .05, .1, .25, .5, 1)
	m.widgetUpdates = d.counter("widget_state_updates_total", "Changes of a widget's state, by who made them.",
		labels(widget, label{"update_source", w.updates})).zeroed()

	protocol := label{"protocol", w.protocols}
	m.connections = d.gauge("active_connections", "Network connections of MCP clients that are open now.",
		labels(protocol, label{"authenticated", w.booleans})).zeroed()
	m.connectionDuration = d.histogram("connection_duration_seconds", "How long connections of MCP clients were open, by why they ended.",
		labels(protocol, label{"disconnect_reason", w.disconnects}), 10, 30, 60, 300, 600, 1800, 3600)

	method := label{"method", w.authMethods}
	m.authAttempts = d.counter("authentication_attempts_total", "Attempts to authenticate.",
		labels(method, label{"status", w.authStatus})).zeroed()
	m.authFailures = d.counter("authentication_failures_total", "Attempts to authenticate that failed, by reason.",
		labels(method, label{"reason", w.authReasons})).zeroed()

	m.signups = d.counter("user_signups_total", "Users that signed up.",
		labels(label{"source", w.signups}, label{"tier", w.tiers})).zeroed()
	m.upgrades = d.counter("subscription_upgrades_total", "Subscriptions that moved to another tier.",
		labels(label{"from_tier", w.tiers}, label{"to_tier", w.tiers}))
	m.revenue = d.gauge("revenue_total_usd", "Revenue so far, in US dollars.",
		labels(label{"tier", w.tiers}))

	m.defineStores(d)
	m.defineHTTP(d)
}

func (m *Metrics) defineStores(d definer) {
	w := d.words
	m.queryDuration = d.histogram("database_query_duration_seconds", "How long database queries took.",
		labels(label{"operation", w.operations}, label{"collection", w.collections}), .01, .05, .1, .25, .5, 1, 2.5)
	m.lookups = newLookups(d.gauge("cache_hit_ratio", "Share of the last 1,000 lookups that the cache could answer.",
		labels(label{"cache_type", w.caches})))
	m.queueDepth = d.gauge("queue_depth", "Jobs that wait in a queue.",
		labels(label{"queue_name", w.queues})).zeroed()
}

func (m *Metrics) defineHTTP(d definer) {
	method, route := label{"method", d.words.httpMethods}, label{"route", d.words.routes}
	status := label{"status_code", d.words.statusCodes}
	m.routes = d.words.routes
	sizes := []float64{100, 1e3, 5e3, 1e4, 5e4, 1e5, 5e5}
	m.httpRequests = d.counter("http_requests_total", "HTTP requests that were answered.",
		labels(method, route, status))
	m.httpDuration = d.histogram("http_request_duration_seconds", "How long HTTP requests took; an event stream counts until it has begun.",
		labels(method, route, status), .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5)
	m.httpRequestSize = d.histogram("http_request_size_bytes", "Size of the bodies of HTTP requests.",
		labels(method, route), sizes...)
	m.httpResponseSize = d.histogram("http_response_size_bytes", "Size of the bodies of HTTP answers.",
		labels(method, route, status), sizes...)
}

// A definer makes metrics with a prefix and registers them.
type definer struct {
	prefix   string
	registry *prometheus.Registry
	words    *allWords
}

func (d definer) counter(name, help string, l []label) counter {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.prefix + name, Help: help}, names(l))
	d.registry.MustRegister(v)
	return counter{v, l}
}

func (d definer) gauge(name, help string, l []label) gauge {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.prefix + name, Help: help}, names(l))
	d.registry.MustRegister(v)
	return gauge{v, l}
}

func (d definer) histogram(name, help string, l []label, buckets ...float64) histogram {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.prefix + name, Help: help, Buckets: buckets}, names(l))
	d.registry.MustRegister(v)
	return histogram{v, l}
}

func names(l []label) []string {
	all := make([]string, len(l))
	for i := range l {
		all[i] = l[i].name
	}
	return all
}

package traffic

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// An action is one thing that a user does; round counts from 0.
type action func(ctx context.Context, v *visitor, s *mcp.ClientSession, round int) error

// wrongEvery is how many rounds there are to a call that is wrong, so that
// users' own mistakes stay far below the share of errors that means trouble.
const wrongEvery = 12

// round is what users do, over and over: mostly searching and looking.
func round() []action {
	return []action{
		search("files"), show("chart", "inline"), document, convert("km"), count("a target that is down stays"),
		search("probes"), openWidget, signUp("web", "free"), search("guards"), show("table", "fullscreen"),
		document, updateWidget, count("what is listed"), search("alerts"), pause(0.08),
		show("list", "pip"), document, clickWidget, convert("ft"), search("shards"),
		signUp("referral", "pro"), show("chart", "fullscreen"), document, upgrade("pro", "enterprise"), page("/account"),
		upgrade("free", "pro"), count("one more"), show("table", "inline"), openWidget, search("sources"),
		page("/no-such-page"), document, updateWidget, pause(0.3), search("targets"),
		show("list", "inline"), mistake, document, count("and another"), signUp("campaign", "free"),
		show("chart", "pip"), clickWidget, signUp("web", "enterprise"), page("/healthz"), convert("m"),
	}
}

// call calls a tool. That the tool refuses is an answer as well; only a server
// that gives none is an error.
func call(ctx context.Context, s *mcp.ClientSession, tool string, arguments map[string]any) (*mcp.CallToolResult, error) {
	r, err := s.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", tool, err)
	}
	return r, nil
}

func tool(name string, arguments map[string]any) action {
	return func(ctx context.Context, _ *visitor, s *mcp.ClientSession, _ int) error {
		_, err := call(ctx, s, name, arguments)
		return err
	}
}

func search(word string) action { return tool("search_documents", map[string]any{"word": word}) }
func count(text string) action  { return tool("count_words", map[string]any{"text": text}) }

func convert(to string) action {
	return tool("convert", map[string]any{"value": 26.2, "from": "mi", "to": to})
}

func pause(seconds float64) action { return tool("wait", map[string]any{"seconds": seconds}) }

// mistake is a conversion that is wrong in one of some rounds.
func mistake(ctx context.Context, v *visitor, s *mcp.ClientSession, round int) error {
	if round%wrongEvery != 0 {
		return convert("km")(ctx, v, s, round)
	}
	return convert("furlong")(ctx, v, s, round)
}

func show(kind, mode string) action {
	return func(ctx context.Context, v *visitor, s *mcp.ClientSession, _ int) error {
		values := []float64{}
		for range 10 {
			values = append(values, float64(rand.IntN(60)))
		}
		r, err := call(ctx, s, "show_widget", map[string]any{"type": kind, "display_mode": mode, "title": "Numbers", "values": values})
		if err != nil {
			return err
		}
		var shown struct{ ID int }
		b, err := json.Marshal(r.StructuredContent)
		if err == nil {
			err = json.Unmarshal(b, &shown)
		}
		if err == nil && shown.ID > 0 {
			v.shown(shown.ID)
		}
		return err
	}
}

// updateWidget is the model's change, clickWidget the user's.
func updateWidget(ctx context.Context, v *visitor, s *mcp.ClientSession, _ int) error {
	id := v.lastShown()
	if id == 0 {
		return nil
	}
	_, err := call(ctx, s, "update_widget", map[string]any{"id": id, "state": "sorted"})
	return err
}

func clickWidget(ctx context.Context, v *visitor, _ *mcp.ClientSession, _ int) error {
	return v.page(ctx, fmt.Sprintf("/widgets/%d/state", max(1, v.lastShown())), `{"state": "clicked"}`)
}

func openWidget(ctx context.Context, v *visitor, _ *mcp.ClientSession, _ int) error {
	return v.page(ctx, fmt.Sprintf("/widgets/%d", max(1, v.lastShown())), "")
}

// document looks at one, at those with low numbers more often.
func document(ctx context.Context, v *visitor, _ *mcp.ClientSession, _ int) error {
	x := rand.Float64()
	return v.page(ctx, fmt.Sprintf("/documents/%d", int(x*x*x*200)), "")
}

func page(path string) action {
	return func(ctx context.Context, v *visitor, _ *mcp.ClientSession, _ int) error {
		return v.page(ctx, path, "")
	}
}

// names are few: who signs up again begins anew.
func name(tier string, round int) string { return fmt.Sprintf("%s-%d", tier, round%500) }

func signUp(source, tier string) action {
	return func(ctx context.Context, v *visitor, s *mcp.ClientSession, round int) error {
		return tool("sign_up", map[string]any{"name": name(tier, round), "source": source, "tier": tier})(ctx, v, s, round)
	}
}

// upgrade is that of a user who has just signed up.
func upgrade(from, to string) action {
	return func(ctx context.Context, v *visitor, s *mcp.ClientSession, round int) error {
		who := "upgraded-" + name(from, round)
		err := tool("sign_up", map[string]any{"name": who, "source": "web", "tier": from})(ctx, v, s, round)
		if err != nil {
			return err
		}
		return tool("upgrade_subscription", map[string]any{"name": who, "tier": to})(ctx, v, s, round)
	}
}

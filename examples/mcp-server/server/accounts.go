package server

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

const usersKept = 10000

func signupSources() []string { return []string{"web", "referral", "campaign"} }

// price of a tier for a month, in US dollars.
func price(tier string) (usd float64, ok bool) {
	switch tier {
	case TierFree:
		return 0, true
	case TierPro:
		return 20, true
	case TierEnterprise:
		return 200, true
	}
	return 0, false
}

// accounts are the users that signed up, and what they pay.
type accounts struct {
	m     *metrics.Metrics
	store *store
	mail  *queue
}

func newAccounts(m *metrics.Metrics, st *store, mail *queue) *accounts {
	return &accounts{m, st, mail}
}

type signUpIn struct {
	Name   string `json:"name" jsonschema:"at most 100 characters"`
	Source string `json:"source" jsonschema:"web, referral or campaign"`
	Tier   string `json:"tier" jsonschema:"free, pro or enterprise"`
}

func (a *accounts) signUp(ctx context.Context, _ *mcp.CallToolRequest, in signUpIn) (*mcp.CallToolResult, any, error) {
	usd, ok := price(in.Tier)
	if !ok || !slices.Contains(signupSources(), in.Source) || in.Name == "" || len(in.Name) > 100 {
		return nil, nil, invalid(fmt.Errorf("a new user has a name, a tier (free, pro, enterprise) and a source %v", signupSources()))
	}
	full := false
	err := a.store.query(ctx, insert, users, func() {
		_, old := a.store.tiers[in.Name]
		if full = !old && len(a.store.tiers) >= usersKept; !full {
			a.store.tiers[in.Name] = in.Tier
		}
	})
	switch {
	case err != nil:
		return nil, nil, err
	case full:
		return nil, nil, typed{errors.New("no room for more users"), metrics.ErrorUnavailable}
	}
	a.m.SignedUp(in.Source, in.Tier)
	a.m.Earned(in.Tier, usd)
	a.mail.add()
	return nil, nil, nil
}

type upgradeIn struct {
	Name string `json:"name"`
	Tier string `json:"tier" jsonschema:"pro or enterprise"`
}

func (a *accounts) upgrade(ctx context.Context, _ *mcp.CallToolRequest, in upgradeIn) (*mcp.CallToolResult, any, error) {
	var from string
	if err := a.store.query(ctx, find, users, func() { from = a.store.tiers[in.Name] }); err != nil {
		return nil, nil, err
	}
	old, _ := price(from)
	usd, ok := price(in.Tier)
	if from == "" || !ok || usd <= old {
		return nil, nil, invalid(fmt.Errorf("user %q has the tier %q, and %q is not above it", in.Name, from, in.Tier))
	}
	if err := a.store.query(ctx, update, subscriptions, func() { a.store.tiers[in.Name] = in.Tier }); err != nil {
		return nil, nil, err
	}
	a.m.Upgraded(from, in.Tier)
	a.m.Earned(in.Tier, usd)
	return nil, nil, nil
}

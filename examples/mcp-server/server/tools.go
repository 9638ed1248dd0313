package server

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// addTools gives the server its tools; vocabulary has their names.
func (s *Server) addTools(st *store, w *widgets, a *accounts) {
	mcp.AddTool(s.mcp, &mcp.Tool{Name: toolSearch, Description: "Finds documents by a word of their title."}, st.searchTool)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: toolCount, Description: "Counts the words and characters of a text."}, countWords)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: toolConvert, Description: "Converts a length between m, km, mi and ft."}, convert)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: toolWait, Description: "Waits for some seconds, at most ten."}, waitTool)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: toolShow, Description: "Shows numbers as a widget."}, w.show)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: toolUpdate, Description: "Changes the state of a widget."}, w.updateByTool)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: toolSignUp, Description: "Makes a new user."}, a.signUp)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: toolUpgrade, Description: "Moves a user to a higher tier."}, a.upgrade)
}

type searchIn struct {
	Word string `json:"word"`
}

type searchOut struct {
	Documents []document `json:"documents"`
}

func (s *store) searchTool(ctx context.Context, _ *mcp.CallToolRequest, in searchIn) (*mcp.CallToolResult, searchOut, error) {
	found, err := s.search(ctx, in.Word)
	return nil, searchOut{append([]document{}, found...)}, err
}

type countIn struct {
	Text string `json:"text" jsonschema:"the text to count in"`
}

type countOut struct {
	Words      int `json:"words"`
	Characters int `json:"characters"`
}

func countWords(_ context.Context, _ *mcp.CallToolRequest, in countIn) (*mcp.CallToolResult, countOut, error) {
	return nil, countOut{Words: len(strings.Fields(in.Text)), Characters: utf8.RuneCountInString(in.Text)}, nil
}

type convertIn struct {
	Value float64 `json:"value"`
	From  string  `json:"from" jsonschema:"m, km, mi or ft"`
	To    string  `json:"to" jsonschema:"m, km, mi or ft"`
}

type convertOut struct {
	Value float64 `json:"value"`
}

func convert(_ context.Context, _ *mcp.CallToolRequest, in convertIn) (*mcp.CallToolResult, convertOut, error) {
	from, err := metres(in.From)
	if err != nil {
		return nil, convertOut{}, err
	}
	to, err := metres(in.To)
	if err != nil {
		return nil, convertOut{}, err
	}
	return nil, convertOut{Value: in.Value * from / to}, nil
}

func metres(unit string) (float64, error) {
	switch unit {
	case "m":
		return 1, nil
	case "km":
		return 1000, nil
	case "mi":
		return 1609.344, nil
	case "ft":
		return 0.3048, nil
	}
	return 0, invalid(fmt.Errorf("unit %q is unknown: write m, km, mi or ft", unit))
}

type waitIn struct {
	Seconds float64 `json:"seconds" jsonschema:"how long, at most 10"`
}

func waitTool(ctx context.Context, _ *mcp.CallToolRequest, in waitIn) (*mcp.CallToolResult, any, error) {
	seconds := max(0, min(in.Seconds, 10))
	if err := wait(ctx, time.Duration(seconds*float64(time.Second))); err != nil {
		return nil, nil, fmt.Errorf("waiting: %w", err)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
}

package server

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

// instrument records every tools/call, and makes it fail where it should.
func instrument(m *metrics.Metrics, f Faults, audit *queue) mcp.Middleware {
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (result mcp.Result, failed error) {
			call, ok := req.(*mcp.CallToolRequest)
			if !ok {
				return next(ctx, method, req)
			}
			_ = m.Tool(ctx, call.Params.Name, callerOf(req).tier, func(ctx context.Context) error {
				if err := f.strike(ctx); err != nil {
					result = toolError(err)
					return err
				}
				result, failed = next(ctx, method, req)
				return outcome(result, failed)
			})
			audit.add()
			return result, failed
		}
	}
}

// strike is what a fault does to a tool call.
func (f Faults) strike(ctx context.Context) error {
	if err := wait(ctx, f.Latency); err != nil {
		return err
	}
	if rand.Float64() < f.ErrorRate {
		return typed{errors.New("a service that this tool needs is down (--fault.error-rate)"), metrics.ErrorUnavailable}
	}
	return nil
}

func toolError(err error) *mcp.CallToolResult {
	r := &mcp.CallToolResult{}
	r.SetError(err)
	return r
}

// callerOf is the user of a request over HTTP.
func callerOf(req mcp.Request) user {
	if extra := req.GetExtra(); extra != nil {
		return userIn(extra.TokenInfo)
	}
	return userIn(nil)
}

// outcome is the error of a call: the protocol's own, or the one that a tool
// put into its result.
func outcome(result mcp.Result, err error) error {
	var wire *jsonrpc.Error
	if errors.As(err, &wire) && wire.Code == jsonrpc.CodeInvalidParams {
		return typed{err, metrics.ErrorInvalidParams}
	}
	if err != nil {
		return err
	}
	r, ok := result.(*mcp.CallToolResult)
	switch {
	case !ok || !r.IsError:
		return nil
	case r.GetError() != nil:
		return r.GetError()
	default:
		return errors.New("the tool reported an error")
	}
}

// typed is an error with a value of the label error_type.
type typed struct {
	error
	kind string
}

func (t typed) ErrorType() string { return t.kind }
func (t typed) Unwrap() error     { return t.error }

func invalid(err error) error { return typed{err, metrics.ErrorInvalidParams} }

// answer writes v as JSON.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who asked is gone, if this fails
}

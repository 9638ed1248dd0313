package health

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

// message is a JSON-RPC message, as far as it tells who the server is. Its zero
// value is none.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Code int             `json:"code"`
		Data json.RawMessage `json:"data"`
	} `json:"error"`

	result result
}

// result is that of server/discover or initialize. Each part is looked at by
// itself, so that one which is not as it should be hides no other.
type result struct {
	ProtocolVersion   string
	SupportedVersions []string
	ServerInfo        implementation
	Capabilities      map[string]json.RawMessage
	Meta              struct {
		Server json.RawMessage `json:"io.modelcontextprotocol/serverInfo"`
	}
	TTL *float64
}

type implementation struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// requestID is that of every question.
const requestID = "1"

// question is a JSON-RPC request.
func question(method string, params any) []byte {
	b, err := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  string          `json:"method"`
		Params  any             `json:"params"`
	}{"2.0", json.RawMessage(requestID), method, params})
	if err != nil {
		panic(err) // of maps of strings
	}
	return b
}

// parseMessage returns the zero message for what is none that answers ours. An
// error may lack an id: who could not read a request does not know it.
func parseMessage(b []byte) message {
	var m message
	if json.Unmarshal(b, &m) != nil || m.Version != "2.0" || m.Method != "" {
		return message{}
	}
	ours := string(m.ID) == requestID
	switch {
	case m.Error != nil && (ours || len(m.ID) == 0 || string(m.ID) == "null"):
		return m
	case m.Error != nil, !ours, len(m.Result) == 0:
		return message{}
	}
	m.result = parseResult(m.Result)
	return m
}

func parseResult(b []byte) (r result) {
	var parts map[string]json.RawMessage
	if json.Unmarshal(b, &parts) != nil {
		return result{}
	}
	read := func(name string, into any) { _ = json.Unmarshal(parts[name], into) } // what is odd is not there
	read("protocolVersion", &r.ProtocolVersion)
	read("supportedVersions", &r.SupportedVersions)
	read("serverInfo", &r.ServerInfo)
	read("capabilities", &r.Capabilities)
	read("_meta", &r.Meta)
	if json.Unmarshal(parts["ttlMs"], &r.TTL) != nil {
		r.TTL = nil // it points to what was there before the mistake
	}
	if r.Capabilities == nil { // any protocol may have a version
		r.ProtocolVersion, r.SupportedVersions = "", nil
	}
	return r
}

func (m message) is() bool { return m.Version != "" }

func (m message) code() int {
	if m.Error == nil {
		return 0
	}
	return m.Error.Code
}

// supported are the revisions that the server says it speaks.
func (m message) supported() []string {
	if m.code() != refusedVersion {
		return m.result.SupportedVersions
	}
	var data struct {
		Supported []string `json:"supported"`
	}
	_ = json.Unmarshal(m.Error.Data, &data) // what is odd is not there
	return data.Supported
}

// server is what the result says of the server, but for the revision.
func (m message) server() Server {
	in := m.result.ServerInfo
	if in.Name == "" {
		_ = json.Unmarshal(m.result.Meta.Server, &in) // it need not be there
	}
	return Server{Name: presented(in.Name), Version: presented(in.Version)}
}

// ttl is how long the answer holds; negative where it does not say.
func (m message) ttl() time.Duration {
	t := m.result.TTL
	switch {
	case t == nil || *t < 0:
		return -1
	case *t >= float64(keepMost.Milliseconds()):
		return keepMost
	}
	return time.Duration(*t * float64(time.Millisecond))
}

// read reads the answer to one request, within the bounds of any probe.
func (v *conversation) read(f failure, resp *http.Response, cancel func()) response {
	r := response{status: resp.StatusCode, guarded: guards(resp)}
	kind := contentType(resp.Header)
	said := kind == contentJSON || kind == contentStream
	if said && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		m, o := v.message(f, resp, kind)
		if o.class != ClassUp || m.is() {
			r.message, r.outcome, r.other = m, o, o.class == ClassNotMCP
			if m.is() {
				r.outcome = v.not("it speaks JSON-RPC, but does not know what MCP servers are asked")
			}
			return r
		}
	}
	if resp.StatusCode == http.StatusOK {
		r.other, r.outcome = true, v.not("the answer is no JSON-RPC")
		settle(resp, cancel)
		return r
	}
	r.outcome = answered(resp, v.check.Key.Address, settle(resp, cancel))
	r.detail = v.path() + ": " + r.detail
	if r.class == ClassNotMetrics {
		r.outcome = v.not("status %d", resp.StatusCode)
	}
	r.other = r.class == ClassHTTP4xx && resp.StatusCode != http.StatusTooManyRequests &&
		resp.StatusCode != http.StatusRequestTimeout || r.class == ClassRedirect || r.class == ClassNotMCP
	return r
}

func contentType(h http.Header) string {
	mediaType, _, _ := mime.ParseMediaType(h.Get("Content-Type")) // of a broken one the type is empty
	return mediaType
}

// message reads a message out of a body, which may be an event stream. It
// returns neither a message nor a class where there is none.
func (v *conversation) message(f failure, resp *http.Response, kind string) (message, outcome) {
	limit := min(answerLimit, int64(v.spec.opts.BodyLimit))
	if !v.prober.memory.TryAcquire(limit) {
		return message{}, f.noMemory()
	}
	defer v.prober.memory.Release(limit)
	read := readWhole
	if kind == contentStream {
		read = readEvents
	}
	m, err := v.decompressed(resp, limit, read)
	switch {
	case m.is() || err == nil:
		return m, outcome{}
	case errors.Is(err, errTooLarge):
		return message{}, outcome{class: ClassTooLarge, detail: v.path() + ": the answer is larger than 256 KiB"}
	}
	o := f.body(err)
	switch {
	case o.class == ClassNotMetrics:
		return message{}, v.not("%s", o.detail)
	case o.detail != "":
		o.detail = v.path() + ": " + o.detail
	}
	return message{}, o
}

func (v *conversation) decompressed(resp *http.Response, limit int64, read func(io.Reader) (message, error)) (message, error) {
	body := io.Reader(&limited{src: resp.Body, left: limit})
	switch coding := resp.Header.Get("Content-Encoding"); coding {
	case "", "identity":
		return read(body)
	case "gzip":
		r := v.prober.readers.Get().(*reader)
		defer v.prober.readers.Put(r)
		defer r.window.reset(nil)
		if err := r.gunzip(body); err != nil {
			return message{}, err
		}
		return read(&limited{src: r.gzip, left: limit})
	}
	return message{}, nil // an encoding that nobody asked for
}

func readWhole(body io.Reader) (message, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return message{}, err
	}
	return parseMessage(b), nil
}

// readEvents looks for the first event that is an answer. Before it there may be
// empty ones, which only open the stream, comments and notifications.
func readEvents(body io.Reader) (message, error) {
	lines := bufio.NewReaderSize(body, 4<<10)
	var data []byte
	for {
		line, err := lines.ReadBytes('\n')
		if text, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(data, text...) // of JSON, all white space is alike
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 || err != nil {
			if m := parseMessage(data); m.is() {
				return m, nil
			}
			data = data[:0]
		}
		switch {
		case err == io.EOF:
			return message{}, nil
		case err != nil:
			return message{}, err
		}
	}
}

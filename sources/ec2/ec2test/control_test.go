package ec2test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestControl(t *testing.T) {
	s := New()
	srv := httptest.NewServer(s.Control())
	defer srv.Close()
	tell := func(method, path, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	c := client{t: t, url: srv.URL, id: id, secret: secret, region: "eu-west-1", service: "ec2"}
	c.at = s.now()
	lists := func(want string) {
		t.Helper()
		if _, body := c.ask("Action=DescribeInstances"); ids(t, body) != want {
			t.Errorf("want %q: %s", want, body)
		}
	}
	for _, step := range []struct{ method, path, body, lists string }{
		{"PUT", "/fake/keys", `{"AccessKey": "` + id + `", "Secret": "` + secret + `", "Account": "` + account + `"}`, ""},
		{"PUT", "/fake/instances", `[{"ID": "i-1", "Account": "` + account + `", "Region": "eu-west-1", "Tags": {"a": "b"}}]`, "1"},
		{"PUT", "/fake/faults", `{"Region": "eu-west-1", "Status": 500, "Code": "InternalError"}`, ""},
		{"DELETE", "/fake/faults", "", "1"},
		{"PUT", "/fake/roles", `{"ARN": "arn:aws:iam::1:role/x", "ExternalID": "e"}`, "1"},
		{"DELETE", "/fake/roles?arn=arn:aws:iam::1:role/x", "", "1"},
		{"PUT", "/fake/machine", `{"Region": "eu-west-1"}`, "1"},
		{"POST", "/fake/expire", "", "1"},
		{"DELETE", "/fake/instances?id=i-1", "", ""},
	} {
		if status, body := tell(step.method, step.path, step.body); status != 200 {
			t.Errorf("%s %s: %d %s", step.method, step.path, status, body)
		}
		lists(step.lists)
	}
	if _, body := tell("GET", "/fake/calls?action=DescribeInstances", ""); !strings.Contains(body, `"Account": "`+account+`"`) {
		t.Errorf("calls: %s", body)
	}
	if status, body := tell("PUT", "/fake/roles", `{"Arm": "x"}`); status != 400 || !strings.Contains(body, "unknown field") {
		t.Errorf("a typing error: %d %s", status, body)
	}
}

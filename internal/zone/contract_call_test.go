package zone

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A request is one of an operation, for [contract.call].
type request struct {
	op     string
	path   map[string]string // values for the path; missing ones are the documented examples
	query  url.Values
	raw    string // query as it is, instead
	header http.Header
	body   string
	// hidden is for requests that try what isn't documented.
	hidden bool
}

// call sends a request to the zone and checks it and its answer against the
// contract: the status, headers, body and every property must be documented, and
// a request that succeeds must be as documented, too.
func (c *contract) call(t testing.TB, s *Server, req request) answer {
	t.Helper()
	op := c.ops[req.op]
	if op == nil {
		t.Fatalf("there is no operation %s", req.op)
	}
	target := "http://127.0.0.1:8787" + c.fill(op, req.path)
	if req.raw == "" {
		req.raw = req.query.Encode()
	}
	r, err := http.NewRequest(op.method, target+"?"+req.raw, strings.NewReader(req.body))
	if err != nil {
		t.Fatal(err)
	}
	if req.header != nil {
		r.Header = req.header
	}
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		t.Fatalf("%s: %v", op.id, err)
	}
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(resp.Body); err != nil {
		t.Fatalf("%s: %v", op.id, err)
	}
	resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header, raw: raw.String()}
	if err := json.Unmarshal(raw.Bytes(), &a.body); err != nil {
		t.Fatalf("%s answers %s", op.id, a.raw)
	}
	if err := c.checkAnswer(op, a); err != nil {
		t.Errorf("%s %s?%s %s\n answers %d: %v\n%s", op.id, r.URL.Path, req.raw, req.body, a.status, err, clip(a.raw))
	}
	if a.status < 300 && !req.hidden {
		if err := c.checkRequest(op, req); err != nil {
			t.Errorf("%s takes %s?%s %s, which isn't documented: %v", op.id, r.URL.Path, req.raw, clip(req.body), err)
		}
	}
	return a
}

// fill puts values, or the documented examples, into an operation's path.
func (c *contract) fill(op *operation, values map[string]string) string {
	path := op.path
	for name, at := range op.params {
		if name, ok := strings.CutPrefix(name, "path "); ok {
			value, given := values[name]
			if !given {
				value = text(c.look(at), "example")
			}
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
		}
	}
	return path
}

func (c *contract) checkAnswer(op *operation, a answer) error {
	status := strconv.Itoa(a.status)
	if c.look(join(op.at+"/responses", status)) == nil {
		status = "default"
	}
	documented := join(op.at+"/responses", status)
	if c.look(documented) == nil || status == "default" && a.text("message") != "this failure was asked for" {
		return fmt.Errorf("the status isn't documented")
	}
	c.seen[documented] = true
	at := c.resolve(documented)
	if got := a.header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("the content type is %q", got)
	}
	headers, _ := c.look(at + "/headers").(map[string]any)
	for name, values := range a.header {
		if name == "Content-Type" { // the key of the content
			continue
		}
		i := slices.IndexFunc(sortedKeys(headers), func(h string) bool { return http.CanonicalHeaderKey(h) == name })
		if i < 0 {
			return fmt.Errorf("header %s isn't documented", name)
		}
		place := c.resolve(join(at+"/headers", sortedKeys(headers)[i]))
		c.seen[place] = true
		if err := c.conforms(place+"/schema", values[0]); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
		c.meetEnum(place+"/schema", values[0])
	}
	for name := range headers {
		required, _ := c.look(c.resolve(join(at+"/headers", name)) + "/required").(bool)
		if required && a.header.Get(name) == "" {
			return fmt.Errorf("header %s is missing", name)
		}
	}
	return c.checkBody(join(at+"/content", "application/json")+"/schema", a.raw)
}

// checkBody checks a JSON text against a schema, and that it has nothing more.
func (c *contract) checkBody(at, body string) error {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return err
	}
	if err := c.conforms(at, value); err != nil {
		return err
	}
	if unknown := c.meet(at, value, ""); len(unknown) > 0 {
		return fmt.Errorf("not documented: %q", unknown)
	}
	return nil
}

func (c *contract) checkRequest(op *operation, req request) error {
	c.seen[op.at] = true
	for name, values := range req.query {
		at, known := op.params["query "+name]
		if !known {
			return fmt.Errorf("parameter %s", name)
		}
		c.seen[op.id+" query "+name] = true
		if err := c.checkParameter(op, at, name, values); err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	for name := range req.header {
		if op.params["header "+name] == "" && name != "Authorization" {
			return fmt.Errorf("header %s", name)
		}
		c.seen[op.id+" header "+name] = true
	}
	content, _ := c.look(op.at + "/requestBody/content").(map[string]any)
	switch {
	case req.body == "" && content == nil:
		return nil
	case content == nil:
		return fmt.Errorf("a body")
	case content["application/json"] != nil:
		return c.checkBody(join(op.at+"/requestBody/content", "application/json")+"/schema", req.body)
	}
	form, err := url.ParseQuery(req.body)
	if err != nil {
		return err
	}
	fields := make(map[string]string)
	for name := range form {
		fields[name] = form.Get(name)
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return c.checkBody(join(op.at+"/requestBody/content", "application/x-www-form-urlencoded")+"/schema", string(b))
}

// checkParameter checks the values of one query parameter by its schema.
func (c *contract) checkParameter(op *operation, at, name string, values []string) error {
	schema := at + "/schema"
	if text(c.look(schema), "type") == "array" {
		schema += "/items"
		if explode, _ := c.look(at + "/explode").(bool); !explode {
			return fmt.Errorf("it can be repeated, and isn't documented so")
		}
	} else if len(values) > 1 {
		return fmt.Errorf("it can't be repeated")
	}
	for _, v := range values {
		var value any = v
		switch text(c.look(schema), "type") {
		case "integer":
			value = json.Number(v)
		case "boolean":
			value = v == "true"
		}
		if err := c.conforms(schema, value); err != nil {
			return err
		}
		c.seen[fmt.Sprintf("%s query %s = %v", op.id, name, v)] = true
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

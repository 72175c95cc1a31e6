package gitstore

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// What a server may send in one answer. They bound memory and disk against an
// endless one.
const (
	maxErrorBody = 64 << 10 // go-git reads the body of an error into memory
	maxListing   = 256 << 20
	maxPack      = 4 << 30
)

// limitedTransport is net/http's transport with a bound on each answer.
type limitedTransport struct{ base http.RoundTripper }

func newLimitedTransport() http.RoundTripper {
	return limitedTransport{http.DefaultTransport.(*http.Transport).Clone()}
}

func (t limitedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case res.StatusCode >= 300:
		// The rest of an error page is dropped, not a second error.
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxErrorBody), res.Body}
	case strings.HasSuffix(req.URL.Path, "/git-upload-pack"):
		res.Body = &boundedBody{res.Body, maxPack}
	default:
		res.Body = &boundedBody{res.Body, maxListing}
	}
	return res, nil
}

// boundedBody fails where [io.LimitReader] would pretend that the answer ends.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the server's answer is too large")
	}
	return n, err
}

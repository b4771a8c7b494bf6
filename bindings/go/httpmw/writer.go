// SPDX-License-Identifier: MIT

package httpmw

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// A tracker sees the status of an answer. Handlers ask a writer whether it can flush, push or be taken
// over; so what they get can do what the server's writer can, and nothing that it cannot.
type tracker struct {
	http.ResponseWriter
	status int // the final one; 0 = none yet
}

// final notes a status unless there is one: a handler that fails in the middle of its answer may
// still say 500, which nobody gets to see.
func (t *tracker) final(status int) {
	if t.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		t.status = status
	}
}

func (t *tracker) WriteHeader(status int) {
	t.final(status)
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracker) Write(body []byte) (int, error) {
	t.final(http.StatusOK)
	return t.ResponseWriter.Write(body)
}

func (t *tracker) WriteString(body string) (int, error) {
	t.final(http.StatusOK)
	return io.WriteString(t.ResponseWriter, body)
}

// ReadFrom lets a server send a file without copying it.
func (t *tracker) ReadFrom(source io.Reader) (int64, error) {
	t.final(http.StatusOK)
	return io.Copy(t.ResponseWriter, source)
}

// Unwrap is for [http.ResponseController].
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

type flushes interface {
	http.Flusher
	FlushError() error
}

type flusher struct{ *tracker }

func (f flusher) Flush() { _ = f.FlushError() }

func (f flusher) FlushError() error {
	f.final(http.StatusOK)
	return http.NewResponseController(f.ResponseWriter).Flush()
}

type hijacker struct{ *tracker }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.final(http.StatusSwitchingProtocols)
	return h.ResponseWriter.(http.Hijacker).Hijack()
}

type pusher struct{ *tracker }

func (p pusher) Push(target string, with *http.PushOptions) error {
	return p.ResponseWriter.(http.Pusher).Push(target, with)
}

func (t *tracker) writer() http.ResponseWriter {
	_, f := t.ResponseWriter.(http.Flusher)
	_, h := t.ResponseWriter.(http.Hijacker)
	_, p := t.ResponseWriter.(http.Pusher)
	switch {
	case f && h && p:
		return struct {
			*tracker
			flushes
			http.Hijacker
			http.Pusher
		}{t, flusher{t}, hijacker{t}, pusher{t}}
	case f && h:
		return struct {
			*tracker
			flushes
			http.Hijacker
		}{t, flusher{t}, hijacker{t}}
	case f && p:
		return struct {
			*tracker
			flushes
			http.Pusher
		}{t, flusher{t}, pusher{t}}
	case h && p:
		return struct {
			*tracker
			http.Hijacker
			http.Pusher
		}{t, hijacker{t}, pusher{t}}
	case f:
		return struct {
			*tracker
			flushes
		}{t, flusher{t}}
	case h:
		return struct {
			*tracker
			http.Hijacker
		}{t, hijacker{t}}
	case p:
		return struct {
			*tracker
			http.Pusher
		}{t, pusher{t}}
	}
	return t
}

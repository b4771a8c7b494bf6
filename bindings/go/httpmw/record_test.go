// SPDX-License-Identifier: MIT

//go:build cgo

package httpmw_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libcanary.example/canary"
	"libcanary.example/canary/canarytest"
	"libcanary.example/canary/httpmw"
)

type (
	counts  = canarytest.Counts
	cohorts = canarytest.Cohorts
)

// serve puts a handler behind the middleware and a real server.
func serve(t *testing.T, rollout *canary.Rollout, handle http.HandlerFunc, with ...httpmw.Option) string {
	t.Helper()
	server := httptest.NewUnstartedServer(httpmw.New(rollout, byHeader, with...)(handle))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of what is said twice
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func ask(t *testing.T, url, user string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-User", user)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response, string(body)
}

func TestRecordsHowRequestsEnd(t *testing.T) {
	write := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		want   counts
	}{
		"nothing written":  {func(http.ResponseWriter, *http.Request) {}, counts{OK: 1}},
		"written":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") }, counts{OK: 1}},
		"404":              {write(404), counts{OK: 1}},
		"500":              {write(500), counts{Error: 1}},
		"503":              {write(503), counts{Error: 1}},
		"504":              {write(504), counts{Timeout: 1}},
		"hints before":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(502) }, counts{Error: 1}},
		"too late a 500":   {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x"); w.WriteHeader(500) }, counts{OK: 1}},
		"500 after String": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x"); w.WriteHeader(500) }, counts{OK: 1}},
		"500 after ReadFrom": {func(w http.ResponseWriter, _ *http.Request) {
			w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
			w.WriteHeader(500)
		}, counts{OK: 1}},
		"500 after Flush": {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.WriteHeader(500) }, counts{OK: 1}},
		"panic":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, counts{Error: 1}},
		"set by the handler": {func(w http.ResponseWriter, r *http.Request) {
			httpmw.Request(r.Context(), "r").SetStatus(canary.StatusTimeout)
			w.WriteHeader(500)
		}, counts{Timeout: 1}},
		"discarded": {func(w http.ResponseWriter, r *http.Request) { httpmw.Request(r.Context(), "r").Discard() }, counts{}},
	} {
		t.Run(name, func(t *testing.T) {
			rollout := canarytest.Rollout(t, "r", 50*canary.Percent)
			url := serve(t, rollout, c.handle)
			ask(t, url, "alice")
			ask(t, url, "user-1")
			if got := canarytest.Outcomes(t, rollout); got != (cohorts{Old: c.want, New: c.want}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestRecordsDurationAndDeadlines(t *testing.T) {
	rollout := canarytest.Rollout(t, "r", canary.Everybody)
	decided := httpmw.New(rollout, byHeader)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
	}))
	limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Millisecond)
		defer cancel()
		decided.ServeHTTP(w, r.WithContext(ctx))
	})
	get(t, decided, "alice")
	get(t, limited, "alice")
	if got := canarytest.Outcomes(t, rollout); got != (cohorts{New: counts{OK: 1, Timeout: 1}}) {
		t.Errorf("%+v", got)
	}
	if took := canarytest.Measured(t, rollout, "duration").New; took.N != 2 || took.Sum < 0.04 || took.Sum > 10 {
		t.Errorf("%+v", took)
	}
}

// Inside of the standard library's handler of timeouts, whose writer can do less.
func TestInsideOfATimeoutHandler(t *testing.T) {
	rollout := canarytest.Rollout(t, "r", canary.Everybody)
	ended := make(chan struct{})
	slow := httpmw.New(rollout, byHeader)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		fmt.Fprint(w, "too late")
	}))
	limited := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		slow.ServeHTTP(w, r)
	}), 10*time.Millisecond, "out of time")
	if got := get(t, limited, "alice"); got != "out of time" {
		t.Error(got)
	}
	<-ended
	if got := canarytest.Outcomes(t, rollout); got != (cohorts{New: counts{Timeout: 1}}) {
		t.Errorf("%+v", got)
	}
}

func TestMeasuresInAHandler(t *testing.T) {
	rollout := canarytest.Rollout(t, "r", canary.Everybody)
	if err := rollout.Declare(canary.Metric{Name: "cost", Kind: canary.KindValue}); err != nil {
		t.Fatal(err)
	}
	url := serve(t, rollout, func(w http.ResponseWriter, r *http.Request) {
		httpmw.Request(r.Context(), "r").Measure(canary.Number("cost", 0.5))
		httpmw.Request(r.Context(), "other").Measure(canary.Number("cost", 0.5))
	})
	ask(t, url, "alice")
	if got := canarytest.Measured(t, rollout, "cost").New; got.N != 1 || got.Sum != 0.5 {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsNotRecorded(t *testing.T) {
	rollout := canarytest.Rollout(t, "r", canary.Everybody)
	show := func(w http.ResponseWriter, r *http.Request) {
		httpmw.Request(r.Context(), "r").Measure(canary.Number("x", 1)) // to nobody
		fmt.Fprint(w, httpmw.ShouldUseNew(r.Context(), "r"))
	}
	for _, option := range []httpmw.Option{httpmw.WithoutRecording(),
		httpmw.RecordOnly(func(r *http.Request) bool { return r.Header.Get("X-User") != "alice" })} {
		if _, body := ask(t, serve(t, rollout, show, option), "alice"); body != "true" {
			t.Error(body)
		}
	}
	ctx := httpmw.NewContext(context.Background(), "r", rollout.Explain("alice"))
	if httpmw.Request(ctx, "r") != nil || httpmw.Request(context.Background(), "r") != nil {
		t.Error("a request out of nothing")
	}
	if got := canarytest.Outcomes(t, rollout); got != (cohorts{}) || len(canarytest.Rejected(t, rollout)) != 0 {
		t.Errorf("%+v", got)
	}
}

// What a server's writer can, the handler's can.
func TestWritersStayWhatTheyAre(t *testing.T) {
	rollout := canarytest.Rollout(t, "r", canary.Everybody)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := serve(t, rollout, func(w http.ResponseWriter, r *http.Request) {
		_, flushes := w.(http.Flusher)
		_, hijacks := w.(http.Hijacker)
		_, pushes := w.(http.Pusher)
		if !flushes || !hijacks || pushes {
			t.Errorf("HTTP/1: %v %v %v", flushes, hijacks, pushes)
		}
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		if err := control.Flush(); err != nil {
			t.Error(err)
		}
		http.ServeFile(w, r, path)
	})
	if _, body := ask(t, url, "alice"); body != "from a file" {
		t.Error(body)
	}
	taken := serve(t, rollout, func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		io.WriteString(connection, "HTTP/1.1 418 taken over\r\n\r\n")
		w.WriteHeader(500) // to nobody
	})
	connection, err := net.Dial("tcp", strings.TrimPrefix(taken, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	io.WriteString(connection, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if line, _ := bufio.NewReader(connection).ReadString('\n'); !strings.Contains(line, "418") {
		t.Error(line)
	}
	for begin := time.Now(); canarytest.Outcomes(t, rollout) != (cohorts{New: counts{OK: 1}, Old: counts{OK: 1}}); {
		if time.Since(begin) > time.Minute {
			t.Fatalf("%+v", canarytest.Outcomes(t, rollout))
		}
		time.Sleep(time.Millisecond)
	}
	for _, plain := range []http.ResponseWriter{bare{httptest.NewRecorder()}, hijacks{}, pushes{}, both{}, three{}} {
		httpmw.New(rollout, byHeader)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name, pair := range map[string][2]bool{
				"flush":  {is[http.Flusher](plain), is[http.Flusher](w)},
				"hijack": {is[http.Hijacker](plain), is[http.Hijacker](w)},
				"push":   {is[http.Pusher](plain), is[http.Pusher](w)},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%T: %s %v", plain, name, pair)
				}
			}
		})).ServeHTTP(plain, httptest.NewRequest("GET", "/", nil))
	}
}

func is[T any](value any) bool {
	_, ok := value.(T)
	return ok
}

type (
	bare    struct{ http.ResponseWriter }
	hijacks struct {
		bare
		http.Hijacker
	}
	pushes struct {
		bare
		http.Pusher
	}
	both struct {
		bare
		http.Hijacker
		http.Pusher
	}
	three struct {
		both
		http.Flusher
	}
)

func TestMetricsPage(t *testing.T) {
	rollout := canarytest.Rollout(t, "r", canary.Everybody)
	rollout.RecordCohort(true, canary.Outcome{})
	page := httptest.NewServer(httpmw.Metrics(rollout.Store()))
	defer page.Close()
	for accept, kind := range map[string]string{
		"":           canary.PrometheusType,
		"text/plain": canary.PrometheusType,
		"application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3": canary.OpenMetricsType,
	} {
		request, _ := http.NewRequest("GET", page.URL, nil)
		request.Header.Set("Accept", accept)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.Header.Get("Content-Type") != kind || !strings.Contains(string(body), "canary_outcomes_total{") ||
			strings.HasSuffix(string(body), "# EOF\n") != (kind == canary.OpenMetricsType) {
			t.Errorf("%q: %s\n%s", accept, response.Header.Get("Content-Type"), body)
		}
	}
	rollout.Store().Close()
	if response, _ := ask(t, page.URL, ""); response.StatusCode != http.StatusInternalServerError {
		t.Error(response.Status)
	}
}

func BenchmarkMiddleware(b *testing.B) {
	rollout := canarytest.Rollout(b, "r", 50*canary.Percent)
	handle := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("X-User", "alice")
	for _, with := range []struct {
		name    string
		handler http.Handler
	}{
		{"no middleware", handle},
		{"deciding", httpmw.New(rollout, byHeader, httpmw.WithoutRecording())(handle)},
		{"deciding and recording", httpmw.New(rollout, byHeader)(handle)},
	} {
		b.Run(with.name, func(b *testing.B) {
			b.ReportAllocs()
			writer := bare{httptest.NewRecorder()}
			for b.Loop() {
				with.handler.ServeHTTP(writer, request)
			}
		})
	}
}

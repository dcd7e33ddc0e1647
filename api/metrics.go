package api

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/assent-sign/assent/internal/ends"
	"github.com/assent-sign/assent/signapp"
)

// metrics are those of this process. Labels come from the route table, the
// status classes and the error table, never from a request.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	errors   *prometheus.CounterVec
	tokens   *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ssad_http_requests_total", Help: "Requests by route and status class."}, []string{"route", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "ssad_http_request_seconds", Help: "Time to answer by route; long polls included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}}, []string{"route"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ssad_http_errors_total", Help: "Error answers by code of the error table."}, []string{"code"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ssad_credential_tokens_total", Help: "Uses of credential tokens by outcome."}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.errors, m.tokens,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// keeping tells at each scrape what configured clients keep, and all signers together.
type keeping struct {
	kept  func(context.Context) ([]signapp.Kept, error)
	known map[string]bool
	log   *slog.Logger
}

var (
	keptBytes      = prometheus.NewDesc("ssad_client_kept_bytes", "Bytes on disk by client: uploads, files and rows of operations.", []string{"client"}, nil)
	keptOperations = prometheus.NewDesc("ssad_client_kept_operations", "Operations by client, ended ones too.", []string{"client"}, nil)
)

// Describe implements prometheus.Collector.
func (k *keeping) Describe(ch chan<- *prometheus.Desc) { ch <- keptBytes; ch <- keptOperations }

// Collect implements prometheus.Collector. A name that is not configured is no label.
func (k *keeping) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	all, err := k.kept(ctx)
	if err != nil {
		k.log.Warn("what clients keep could not be read for the metrics", "error", err)
		return
	}
	sum := map[string]signapp.Kept{}
	for _, c := range all {
		name := c.Client
		switch {
		case strings.HasPrefix(name, signapp.SignerPrefix):
			name = "(signers)"
		case !k.known[name]:
			name = "(others)"
		}
		s := sum[name]
		sum[name] = signapp.Kept{Bytes: s.Bytes + c.Bytes, Operations: s.Operations + c.Operations}
	}
	for name, s := range sum {
		ch <- prometheus.MustNewConstMetric(keptBytes, prometheus.GaugeValue, float64(s.Bytes), name)
		ch <- prometheus.MustNewConstMetric(keptOperations, prometheus.GaugeValue, float64(s.Operations), name)
	}
}

// endsAt tells at each scrape when certificates end.
type endsAt struct{ list func() []ends.Certificate }

var certificateEnd = prometheus.NewDesc("ssad_certificate_end_seconds", "When a certificate ends, in Unix time; of a chain, the first.", []string{"use", "name"}, nil)

// Describe implements prometheus.Collector.
func (endsAt) Describe(ch chan<- *prometheus.Desc) { ch <- certificateEnd }

// Collect implements prometheus.Collector. Of two with the same labels the first end is told.
func (e endsAt) Collect(ch chan<- prometheus.Metric) {
	first := map[[2]string]float64{}
	for _, c := range e.list() {
		labels, end := [2]string{c.Use, strings.ToValidUTF8(c.Name, "?")}, float64(c.End.Unix())
		if before, ok := first[labels]; !ok || end < before {
			first[labels] = end
		}
	}
	for labels, end := range first {
		ch <- prometheus.MustNewConstMetric(certificateEnd, prometheus.GaugeValue, end, labels[0], labels[1])
	}
}

func (m *metrics) request(route string, status int, code string, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status/100)+"xx").Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
	if code != "" {
		m.errors.WithLabelValues(code).Inc()
	}
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

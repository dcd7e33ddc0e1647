package sam

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// alarmSettings are the thresholds as part of the configuration: whoever raises
// them makes the module look away (T25).
func alarmSettings(c AlarmConfig) []setting {
	var out []setting
	for _, r := range alarmRows() {
		count, window := strconv.Itoa(r.count), r.window
		if l, ok := c.Limits[r.kind]; ok {
			count, window = strconv.Itoa(l.Count), l.Window
			if l.Count < 0 {
				count, window = "off", 0
			}
		}
		out = append(out, setting{"alarm." + r.kind + ".count", count, whenMore}, setting{"alarm." + r.kind + ".window", window.String(), whenLess})
	}
	if h := c.Hours; h != nil {
		out = append(out, setting{"alarm.hours", fmt.Sprint(h.Days, h.From, h.To, h.Zone), whenChanged})
	}
	return out
}

// sight is what alarms look at of a record that is being written.
func sight(r audit.Record, d audit.Data) seen {
	s := seen{event: r.Type, actor: r.Actor, outcome: r.Outcome, reason: sap.Reason(r.Reason), at: time.UnixMilli(r.Time)}
	s.signer, _ = d["signer"].(string)
	s.detail, _ = d["detail"].(string)
	s.locked, _ = d["locked"].(bool)
	s.kind, _ = d["kind"].(string)
	s.subject, _ = d["subject"].(string)
	s.since, _ = d["since"].(int64)
	s.n, _ = d["count"].(int)
	return s
}

// asSeen is the same of a record of the chain. Data that cannot be read was not
// written by this module, and the chain would not have verified.
func asSeen(r audit.Record) seen {
	var d struct {
		Signer  string `json:"signer"`
		Detail  string `json:"detail"`
		Locked  bool   `json:"locked"`
		Kind    string `json:"kind"`
		Subject string `json:"subject"`
		Since   int64  `json:"since"`
		Count   int    `json:"count"`
	}
	_ = json.Unmarshal([]byte(r.Data), &d)
	return seen{
		event: r.Type, actor: r.Actor, outcome: r.Outcome, reason: sap.Reason(r.Reason), at: time.UnixMilli(r.Time),
		signer: d.Signer, detail: d.Detail, locked: d.Locked, kind: d.Kind, subject: d.Subject, since: d.Since, n: d.Count,
	}
}

package pdf

import (
	"strings"
	"testing"
)

// D16: in front of the keyword of an object stand its numbers, over comments in the lines before if need be; more of these than anybody
// writes count as if numbers were behind them.
func TestD16NumbersInFrontOfAnObject(t *testing.T) {
	for text, want := range map[string]bool{
		"4 0 ": true, "4 0\n": true, "4 0 %c\n": true, "4 % 1\n0 %\n%\n": true, "4 0%a\r%b\r": true, strings.Repeat("%\n", 9): true,
		"": false, "\n": false, "foo ": false, "x\n": false, "% x\n": false, "% 4 0 x ": false, "4 0 % x ": false,
	} {
		if got := mayBeginObject([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

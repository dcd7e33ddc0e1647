package door

import (
	"errors"
	"testing"
)

func TestCheck(t *testing.T) {
	if err := Check(MinAge-1, true); !errors.Is(err, ErrYoung) {
		t.Error(err)
	}
	if err := Check(MinAge, true); err != nil {
		t.Error(err)
	}
}

func TestLate(t *testing.T) {
	if Late(12) || !Late(24) {
		t.Error("noon and midnight")
	}
}

func TestCount(t *testing.T) {
	if n := Count(3); n != 3 {
		t.Error(n)
	}
}

func TestFull(t *testing.T) {
	if Full(254) || !Full(255) {
		t.Error("one more fits")
	}
}

package samtest

import (
	"errors"
	"reflect"
	"testing"

	"github.com/assent-sign/assent/sam"
)

// Every call of every table of a transaction can be made to fail: one that is added to
// sam.Tx and not here would be absent in the tests with faults, or never fail.
func TestEveryCallCanFail(t *testing.T) {
	f := &Faults{}
	f.Arm(0)
	tx := reflect.ValueOf(*f.tables(&sam.Tx{})) // without tables: no call may reach one
	for i := range tx.NumField() {
		table := tx.Type().Field(i)
		for m := range table.Type.NumMethod() {
			name := table.Type.Method(m).Name
			if err := call(f, tx.Field(i), name); !errors.Is(err, ErrFault) {
				t.Errorf("sam.Tx.%s.%s: %v", table.Name, name, err)
			}
		}
	}
}

func call(f *Faults, table reflect.Value, method string) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("has no fault")
		}
	}()
	f.Arm(0)
	fn := table.MethodByName(method)
	args := make([]reflect.Value, fn.Type().NumIn())
	for i := range args {
		args[i] = reflect.Zero(fn.Type().In(i))
	}
	out := fn.Call(args)
	err, _ = out[len(out)-1].Interface().(error)
	return err
}

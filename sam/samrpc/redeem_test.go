package samrpc

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/assent-sign/assent/sap/sapclient"
)

// FuzzPlainRedeem: what the direct reader takes, the strict one takes with the
// same result; two readers that differ would let a check look at other bytes
// than the next one.
func FuzzPlainRedeem(f *testing.F) {
	for _, s := range []string{
		`{"sad":"e30=","proof":"e30=","evidence":"W10="}`, `{"sad":"","proof":"","evidence":""}`,
		`{"sad":"e30=","proof":"e30=","evidence":null}`, `{"sad":"e3\n0=","proof":"e30=","evidence":"W10="}`,
		`{"sad":"e30=","proof":"e30=","evidence":"W10="} `, `{"sad":"e30=","proof":"e30=","evidence":"W10=","x":1}`,
		`{"sad":"e31=","proof":"e30","evidence":"W10="}`, "{\"sad\":\"e30=\n\n\n\n\",\"proof\":\"e30=\",\"evidence\":\"W10=\"}",
		"{\"sad\":\"e30=\r\r\r\r\",\"proof\":\"e30=\",\"evidence\":\"W10=\"}", `{"proof":"e30=","sad":"e30=","evidence":"W10="}`, `{"sad":"`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := plainRedeem(body)
		if !ok {
			return
		}
		want, err := decode[sapclient.RedeemIn](&request{body: body})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v (%v)", body, got, want, err)
		}
	})
}

// What our client sends is read directly.
func TestClientBodiesArePlain(t *testing.T) {
	in := sapclient.RedeemIn{SAD: []byte{0xfb, 0xef, 0xff, 1}, Proof: []byte("{}"), Evidence: []byte("[]")}
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := plainRedeem(body); !ok || !reflect.DeepEqual(got, in) {
		t.Errorf("%s is not read directly (%v)", body, got)
	}
}

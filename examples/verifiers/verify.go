// Verifies assertions of the gateway by the document of its keys, with the standard library alone.
// Run:
//
//	go run verify.go URL AUDIENCE
//
// It reads assertions, one a line, and writes for each the user as JSON (null where nobody is signed
// in) or the reason why it is rejected.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	leeway = 30 * time.Second
	cache  = 10 * time.Minute
	pause  = 30 * time.Second
)

// Keys is the document, read at first use, again after ten minutes, and for an unknown key id.
type Keys struct {
	URL    string
	lock   sync.Mutex
	keys   map[string]*ecdsa.PublicKey
	readAt time.Time
}

func (k *Keys) find(kid string) (*ecdsa.PublicKey, error) {
	k.lock.Lock()
	defer k.lock.Unlock()
	age := time.Since(k.readAt)
	if key, known := k.keys[kid]; age > cache || (!known && age > pause) {
		if err := k.read(); err != nil {
			return nil, err
		}
	} else if known {
		return key, nil
	}
	if key, known := k.keys[kid]; known {
		return key, nil
	}
	return nil, errors.New("unknown key")
}

func (k *Keys) read() error {
	client := http.Client{Timeout: 3 * time.Second}
	response, err := client.Get(k.URL)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the keys answered %d", response.StatusCode)
	}
	var document struct {
		Keys []struct{ Kty, Crv, Kid, X, Y string }
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&document); err != nil {
		return err
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, jwk := range document.Keys {
		x, errX := base64.RawURLEncoding.DecodeString(jwk.X)
		y, errY := base64.RawURLEncoding.DecodeString(jwk.Y)
		if jwk.Kty != "EC" || jwk.Crv != "P-256" || errX != nil || errY != nil {
			continue
		}
		keys[jwk.Kid] = &ecdsa.PublicKey{
			Curve: elliptic.P256(),
			X:     new(big.Int).SetBytes(x),
			Y:     new(big.Int).SetBytes(y),
		}
	}
	k.keys, k.readAt = keys, time.Now()
	return nil
}

// Verify returns the user as JSON, null where nobody is signed in.
func Verify(assertion string, keys *Keys, audience string) (json.RawMessage, error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a JWT")
	}
	var header struct{ Alg, Typ, Kid string }
	var claims struct {
		Iss, Aud string
		Iat, Exp int64
		User     json.RawMessage
	}
	for i, target := range []any{&header, &claims} {
		decoded, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(decoded, target) != nil {
			return nil, errors.New("not a JWT")
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	// The algorithm is ours to choose, never the sender's.
	if err != nil || len(signature) != 64 || header.Alg != "ES256" || header.Typ != "gatehouse-assertion+jwt" {
		return nil, errors.New("header")
	}
	key, err := keys.find(header.Kid)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(key, digest[:], r, s) {
		return nil, errors.New("signature")
	}
	if claims.Iss != "gatehouse-gateway" || claims.Aud != audience {
		return nil, errors.New("iss or aud")
	}
	now := time.Now()
	if time.Unix(claims.Iat, 0).After(now.Add(leeway)) || now.After(time.Unix(claims.Exp, 0).Add(leeway)) {
		return nil, errors.New("iat or exp")
	}
	return claims.User, nil
}

func main() {
	keys := &Keys{URL: os.Args[1]}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		user, err := Verify(lines.Text(), keys, os.Args[2])
		if err != nil {
			fmt.Println("rejected:", err)
		} else {
			fmt.Println(string(user))
		}
	}
}

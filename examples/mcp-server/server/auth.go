package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

// How users authenticate, and what may be wrong with it.
const (
	methodBearer = "bearer"  // a JSON Web Token
	methodAPIKey = "api_key" // a key that begins with sk_, in the same header

	reasonExpired    = "expired"
	reasonSignature  = "invalid_signature"
	reasonMalformed  = "malformed"
	reasonUnknownKey = "unknown_key"
	reasonScheme     = "unsupported_scheme"
)

const keyPrefix = "sk_"

// Credentials makes what users put behind "Authorization: Bearer".
type Credentials struct{ Secret []byte }

type claims struct {
	Tier string `json:"tier"`
	jwt.RegisteredClaims
}

// Token returns a signed token of the user that expires at the given time.
func (c Credentials) Token(user, tier string, expires time.Time) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{tier, jwt.RegisteredClaims{
		Subject: user, ExpiresAt: jwt.NewNumericDate(expires),
	}}).SignedString(c.Secret)
	if err != nil {
		return "", fmt.Errorf("signing the token of user %s: %w", user, err)
	}
	return token, nil
}

// APIKey returns the key of the user, which never expires.
func (c Credentials) APIKey(user, tier string) string {
	mac := hmac.New(sha256.New, c.Secret)
	mac.Write([]byte(user + "." + tier))
	return keyPrefix + user + "." + tier + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// refused is an authentication that failed.
type refused struct {
	reason string
	err    error
}

func (r refused) Error() string  { return r.err.Error() }
func (r refused) Unwrap() error  { return auth.ErrInvalidToken } // the SDK answers 401 then
func (r refused) Reason() string { return r.reason }

// verify says whose credentials these are.
func (c Credentials) verify(credentials string) (*auth.TokenInfo, error) {
	if strings.HasPrefix(credentials, keyPrefix) {
		return c.verifyKey(credentials)
	}
	var is claims
	_, err := jwt.ParseWithClaims(credentials, &is, func(*jwt.Token) (any, error) { return c.Secret, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired())
	switch {
	case err == nil:
		return tokenInfo(is.Subject, is.Tier, is.ExpiresAt.Time), nil
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, refused{reasonExpired, err}
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return nil, refused{reasonSignature, err}
	default:
		return nil, refused{reasonMalformed, err}
	}
}

func (c Credentials) verifyKey(key string) (*auth.TokenInfo, error) {
	parts := strings.Split(strings.TrimPrefix(key, keyPrefix), ".")
	if len(parts) != 3 {
		return nil, refused{reasonMalformed, errors.New("the API key is malformed")}
	}
	if !hmac.Equal([]byte(key), []byte(c.APIKey(parts[0], parts[1]))) {
		return nil, refused{reasonUnknownKey, errors.New("the API key is unknown")}
	}
	return tokenInfo(parts[0], parts[1], time.Time{}), nil
}

func tokenInfo(user, tier string, expires time.Time) *auth.TokenInfo {
	return &auth.TokenInfo{UserID: user, Expiration: expires, Extra: map[string]any{"tier": tier}}
}

// authenticate lets requests with good credentials through, and those without
// any. The user is in the context then.
func authenticate(m *metrics.Metrics, secret []byte) func(http.Handler) http.Handler {
	c := Credentials{secret}
	verify := func(_ context.Context, credentials string, _ *http.Request) (info *auth.TokenInfo, err error) {
		method := methodBearer
		if strings.HasPrefix(credentials, keyPrefix) {
			method = methodAPIKey
		}
		err = m.Authenticate(method, func() error {
			info, err = c.verify(credentials)
			return err
		})
		return info, err
	}
	required := auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})
	return func(next http.Handler) http.Handler {
		authenticated := required(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			switch {
			case scheme == "":
				next.ServeHTTP(w, r)
				return
			case !strings.EqualFold(scheme, "bearer"):
				// The SDK refuses it; only the attempt is to be counted.
				_ = m.Authenticate(metrics.Other, func() error { return refused{reasonScheme, errors.New("not a bearer token")} })
			}
			authenticated.ServeHTTP(w, r)
		})
	}
}

// A user is who calls; the zero value is nobody that is known.
type user struct{ id, tier string }

func (u user) known() bool { return u.id != "" }

func userOf(ctx context.Context) user { return userIn(auth.TokenInfoFromContext(ctx)) }

func userIn(info *auth.TokenInfo) user {
	if info == nil {
		return user{tier: tierAnonymous}
	}
	tier, _ := info.Extra["tier"].(string)
	return user{info.UserID, tier}
}

// account says who calls.
func account(w http.ResponseWriter, r *http.Request) {
	u := userOf(r.Context())
	if !u.known() {
		http.Error(w, "nobody: send a token", http.StatusUnauthorized)
		return
	}
	answer(w, map[string]string{"user": u.id, "tier": u.tier})
}

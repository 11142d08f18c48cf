// A token verified by github.com/coreos/go-oidc. Settings come in the environment, the token as a line on stdin.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"

	oidc "github.com/coreos/go-oidc"
)

var version string // set when it is built

func main() {
	presented, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, os.Getenv("ISSUER"))
	if err != nil {
		log.Fatal(err)
	}
	expected := oidc.Config{ClientID: os.Getenv("AUDIENCE"), SupportedSigningAlgs: []string{oidc.ES256}}
	token, err := provider.Verifier(&expected).Verify(ctx, strings.TrimSpace(presented))
	if err != nil {
		log.SetFlags(0)
		log.Fatalf("refused: %v", err)
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		log.Fatal(err)
	}
	document := map[string]any{"version": version, "answer": claims}
	if err := json.NewEncoder(os.Stdout).Encode(document); err != nil {
		log.Fatal(err)
	}
}

// A token by golang.org/x/oauth2. Settings come in the environment, the secret as a line on stdin, never in argv.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

var version string // set when it is built

func main() {
	secret, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		log.Fatal(err)
	}
	client := clientcredentials.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: strings.TrimSpace(secret),
		TokenURL:     os.Getenv("ISSUER") + "/oauth2/token",
		Scopes:       strings.Fields(os.Getenv("SCOPE")),
		AuthStyle: map[string]oauth2.AuthStyle{
			"basic": oauth2.AuthStyleInHeader,
			"post":  oauth2.AuthStyleInParams,
			"both":  oauth2.AuthStyleAutoDetect,
		}[os.Getenv("METHOD")],
	}
	if resource := os.Getenv("RESOURCE"); resource != "" {
		client.EndpointParams = url.Values{"resource": {resource}}
	}
	answer := map[string]any{}
	token, err := client.Token(context.Background())
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		err = json.Unmarshal(refused.Body, &answer)
	}
	if err != nil {
		log.Fatal(err)
	}
	if token != nil {
		answer["access_token"] = token.AccessToken
		answer["token_type"] = token.TokenType
		answer["scope"] = token.Extra("scope")
		answer["expires_in"] = token.Extra("expires_in")
	}
	document := map[string]any{"version": version, "answer": answer}
	if err := json.NewEncoder(os.Stdout).Encode(document); err != nil {
		log.Fatal(err)
	}
}

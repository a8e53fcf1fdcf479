// Recomputes a log from its entry bundles with Tessera's fsck, and compares tiles and checkpoint.
// usage: fsck URL ORIGIN VKEY
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	address, err := url.Parse(os.Args[1])
	if err != nil {
		panic(err)
	}
	fetcher, err := client.NewHTTPFetcher(address, nil)
	if err != nil {
		panic(err)
	}
	key, err := note.NewVerifier(os.Args[3])
	if err != nil {
		panic(err)
	}
	check := fsck.New(os.Args[2], key, fetcher, hashes, fsck.Opts{N: 2})
	if err := check.Check(context.Background()); err != nil {
		fmt.Println("BAD:", err)
		os.Exit(1)
	}
	fmt.Println("OK")
}

func hashes(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var leaves [][]byte
	for _, entry := range entries.Entries {
		leaves = append(leaves, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return leaves, nil
}

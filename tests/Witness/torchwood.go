// Verifies checkpoints and proofs with Torchwood.
// usage: torchwood POLICY checkpoint FILE
//        torchwood POLICY proof PROOF ENTRY
package main

import (
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	policy, err := torchwood.ParsePolicy(read(os.Args[1]))
	if err != nil {
		fmt.Println("POLICY:", err)
		os.Exit(2)
	}
	if os.Args[2] == "checkpoint" {
		_, _, err = torchwood.VerifyCheckpoint(read(os.Args[3]), policy)
	} else {
		err = torchwood.VerifyProof(policy, tlog.RecordHash(read(os.Args[4])), read(os.Args[3]))
	}
	if err != nil {
		fmt.Println("NO:", err)
		os.Exit(1)
	}
	fmt.Println("OK")
}

func read(file string) []byte {
	bytes, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	return bytes
}

# With one log of three down nothing changes; with two down nothing is agreed on.
{ lab }:

{
  name = "trustix-proxy-log-down";
  nodes = lab.three;
  testScript = ''
    ${lab.prelude}
    path = built_by_all([alice, bob, mallory], "${lab.hello}")
    other = built_by_all([alice, bob, mallory], "${lab.greeting}")

    mallory.shutdown()
    client.succeed(f"nix-store --realise {path}")

    bob.shutdown()
    refusal = answer(client, other)
    assert " 404 " in refusal and "x-trustix-decision: undecided" in refusal, refusal
    client.fail(f"nix-store --realise {other}")
  '';
}

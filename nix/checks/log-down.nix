# With one log of three down nothing changes; with two down nothing is agreed on.
{ lab }:

{
  name = "trustix-proxy-log-down";
  nodes = lab.three;
  testScript = ''
    ${lab.prelude}
    path = built_by_all([alice, bob, mallory], "${lab.hello}")
    other = built_by_all([alice, bob, mallory], "${lab.clock}")

    mallory.shutdown()
    client.succeed(f"nix-store --realise {path}")

    bob.shutdown()
    assert " 404 " in answer(client, other)
    client.fail(f"nix-store --realise {other}")
  '';
}

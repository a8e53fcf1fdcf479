# What three builders agree on is substituted, under a key that the client's Nix was told of at its first boot.
{ lab }:

{
  name = "trustix-proxy-agreement";
  nodes = lab.three;
  testScript = ''
    ${lab.prelude}
    path = built_by_all([alice, bob, mallory], "${lab.hello}")

    assert "x-trustix-decision: agreed" in answer(client, path)
    assert "trustix-1:" in client.succeed("nix --extra-experimental-features nix-command config show | grep ^trusted-public-keys")
    client.succeed(f"nix-store --realise {path}")
    assert client.succeed(f"cat {path}") == "hello\n"
  '';
}

# The builders agree, but the upstream's NAR is another: it never reaches the store.
{ lab }:

{
  name = "trustix-proxy-forged-nar";
  nodes = lab.three;
  testScript = ''
    ${lab.prelude}
    path = built_by_all([alice, bob, mallory], "${lab.hello}")
    alice.succeed("for nar in /srv/cache/nar/*; do nix-store --dump /etc/hostname | xz > $nar; done")

    assert "x-trustix-decision: agreed" in answer(client, path)
    client.fail(f"nix-store --realise {path}")
    client.fail(f"test -e {path}")
  '';
}

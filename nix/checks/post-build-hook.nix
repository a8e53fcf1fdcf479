# What Nix builds is in the log without anybody's doing, but for what is excluded.
{ lab }:

{
  name = "trustix-proxy-post-build-hook";
  nodes = {
    alice = lab.builder "alice";
    client = lab.client [ "alice" ] 1;
  };
  testScript = ''
    ${lab.prelude}
    path = built_by_all([alice], "${lab.hello}")
    excluded = built_by_all([alice], "${lab.secret}")

    client.succeed(f"nix-store --realise {path}")
    assert " 404 " in answer(client, excluded)
  '';
}

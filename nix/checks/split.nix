# What every builder builds differently is refused, and the answer says who said what.
{ lab }:

{
  name = "trustix-proxy-split";
  nodes = lab.three;
  testScript = ''
    ${lab.prelude}
    path = built_by_all([alice, bob, mallory], "${lab.clock}")

    refusal = answer(client, path)
    assert " 404 " in refusal and "x-trustix-decision: conflict" in refusal
    assert all(f"{name}=sha256:" in refusal for name in ["alice", "bob", "mallory"]), refusal
    client.fail(f"nix-store --realise {path}")
  '';
}

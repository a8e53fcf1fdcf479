# Two replicas that meet in Redis: what one has decided the other serves though every log is down, and goes on when Redis is gone too.
{ lab }:

let
  replica = {
    imports = [ lab.three.client ];
    environment.etc."trustix/proxy.key".text = lab.proxyKey;
    services.trustix-proxy.signingKeyFile = "/etc/trustix/proxy.key";
    services.trustix-proxy.publicKey = "trustix-1:Az/kZuh5/3ckE1m4Lx/3Y0tZTXopo06XlKm775CmZnE=";
    services.trustix-proxy.settings.redis.configuration = "meeting:6379";
  };
in
{
  name = "trustix-proxy-replica";
  nodes = lab.three // {
    client = replica;
    other = replica;
    meeting =
      { ... }:
      {
        services.redis.servers."" = {
          enable = true;
          bind = "0.0.0.0";
          openFirewall = true;
          settings.protected-mode = "no";
        };
      };
  };
  testScript = ''
    ${lab.prelude}
    meeting.wait_for_unit("redis.service")
    path = built_by_all([alice, bob, mallory], "${lab.hello}")
    assert "x-trustix-decision: agreed" in answer(client, path)
    other.wait_for_unit("trustix-proxy.service")

    bob.shutdown()
    mallory.shutdown()
    assert "x-trustix-decision: agreed" in answer(other, path)

    meeting.shutdown()
    other.succeed(f"nix-store --realise {path}")
  '';
}

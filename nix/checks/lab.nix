# The machines of the VM tests: builders, each with a log, a publisher and a static cache of what it built, and a client whose Nix asks the proxy alone.
# The keys are of these machines only, and secret to nobody.
{ pkgs, module }:

let
  inherit (pkgs) lib;

  logKeys = {
    alice = {
      secret = "alice:NG+kShKJkqrQJlLB0RemzKAecyumrWxq8NLj/7i/Oa8ucY7VTDR1Nc2gq0FCNyYJdNHonXqsO+EY0DoMF6VGLg==";
      public = "LnGO1Uw0dTXNoKtBQjcmCXTR6J16rDvhGNA6DBelRi4=";
    };
    bob = {
      secret = "bob:bMz+2Q7Le5LCLwnplSrdPefPGGylt+cHEvApSpmKHxmTD4lV/p3JMdlhcrijg6SoDzF2ypfEScGgJicGOmHZug==";
      public = "kw+JVf6dyTHZYXK4o4OkqA8xdsqXxEnBoCYnBjph2bo=";
    };
    mallory = {
      secret = "mallory:qK1IwOtcWe0eEULX1EmkDfj3gUnkTPHk57I0W7EqBqtB3985W5XgyBmI3AGc16/VMtfhdlokxYBPGEY3M8TsZg==";
      public = "Qd/fOVuV4MgZiNwBnNev1TLX4XZaJMWATxhGNzPE7GY=";
    };
  };
  token = {
    secret = "token:eW/RBL4AhhccPXhkPPlCjdWpG+lsmjnWzaFFnXkVyjrve4Q/rdy7hEnX5vJKfFqmzJO0w7/nLWxZYnvWjMDolA==";
    public = "token:73uEP63cu4RJ1+bySnxapsyTtMO/5y1sWWJ71ozA6JQ=";
  };

  derivation = name: command: pkgs.writeText "${name}.nix" ''
    derivation {
      name = "${name}";
      system = builtins.currentSystem;
      builder = "/bin/sh";
      args = [ "-c" "${command}" ];
    }
  '';
in
rec {
  # Two that are the same on every machine; one that is another each time; and one whose name is nobody's business. The sandbox's shell has builtins only.
  hello = derivation "hello-1.0" "echo hello > $out";
  greeting = derivation "greeting-1.0" "echo good day > $out";
  clock = derivation "clock-1.0" "read id < /proc/sys/kernel/random/uuid; echo $id > $out";
  secret = derivation "secret-1.0" "echo secret > $out";

  # Of the proxies that are replicas of one another.
  proxyKey = "trustix-1:nKhzuHNYcCYxhWds2YMoShpztkim0A9clng8MnKtCcoDP+Rm6Hn/dyQTWbgvH/djS1lNeimjTpeUqbvvkKZmcQ==";

  builder =
    name:
    { ... }:
    {
      imports = [ module ];
      environment.etc."trustix/log.key".text = logKeys.${name}.secret;
      environment.etc."trustix/token.key".text = token.secret;
      networking.firewall.allowedTCPPorts = [ 80 ];
      nix.settings.substituters = lib.mkForce [ ];
      services.nginx = {
        enable = true;
        virtualHosts.default.root = "/srv/cache";
      };
      services.trustix-log = {
        enable = true;
        address = "0.0.0.0";
        openFirewall = true;
        logs.${name} = {
          privateKeyFile = "/etc/trustix/log.key";
          writeTokens = [ token.public ];
        };
      };
      services.trustix-publisher = {
        enable = true;
        tokenFile = "/etc/trustix/token.key";
        settings.exclude = [ "secret-*" ];
      };
      systemd.tmpfiles.rules = [ "d /srv/cache 0755 root root -" ];
    };

  client =
    names: quorum:
    { ... }:
    {
      imports = [ module ];
      environment.systemPackages = [ pkgs.curl ];
      services.trustix-proxy = {
        enable = true;
        configureNix = true;
        settings = {
          upstreams = [
            {
              name = "alice";
              url = "http://alice";
            }
          ];
          logs = map (name: {
            inherit name;
            url = "http://${name}:8090";
            publicKey = logKeys.${name}.public;
          }) names;
          policy = { inherit quorum; };
        };
      };
    };

  three = {
    alice = builder "alice";
    bob = builder "bob";
    mallory = builder "mallory";
    client = client [
      "alice"
      "bob"
      "mallory"
    ] 2;
  };

  # Python for the test scripts.
  prelude = ''
    def built(machine, expression):
        machine.wait_for_unit("trustix-log.service")
        machine.wait_for_unit("trustix-publisher.service")
        path = machine.succeed(f"nix-build --no-out-link {expression}").strip()
        machine.wait_until_succeeds("! ls /var/spool/trustix/*.job")
        return path

    def built_by_all(machines, expression):
        paths = {built(machine, expression) for machine in machines}
        assert len(paths) == 1, f"{paths}"
        path = paths.pop()
        machines[0].succeed(f"nix --extra-experimental-features nix-command copy --to file:///srv/cache {path}")
        return path

    def answer(machine, path):
        digest = path.removeprefix("/nix/store/").split("-")[0]
        machine.wait_for_unit("trustix-proxy.service")
        return machine.succeed(f"curl --silent --include http://127.0.0.1:8080/{digest}.narinfo").lower()

    start_all()
  '';
}

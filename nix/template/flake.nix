{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  inputs.trustix-proxy.url = "git+file:///path/to/checkout";

  outputs = { nixpkgs, trustix-proxy, ... }: {
    nixosConfigurations.myhost = nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      modules = [
        ./configuration.nix
        trustix-proxy.nixosModules.default
        {
          services.trustix-proxy = {
            enable = true;
            configureNix = true; # Nix asks the proxy alone, and believes its key alone
            settings = {
              upstreams = [ { name = "cache.nixos.org"; url = "https://cache.nixos.org"; } ];
              caches = [
                {
                  name = "cache.nixos.org";
                  url = "https://cache.nixos.org";
                  publicKeys = [ "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=" ];
                }
              ];
              policy = { rule = { quorum = 1; of = [ "cache.nixos.org" ]; }; dissent = "veto"; };
            };
          };
        }
      ];
    };
  };
}

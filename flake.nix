{
  description = "trustix-proxy: serves Nix binary caches only where several independent build-transparency logs agree";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      each = nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" ];
      pkgsOf = system: nixpkgs.legacyPackages.${system}.extend self.overlays.default;
      withOverlay = module: {
        imports = [ module ];
        nixpkgs.overlays = [ self.overlays.default ];
      };
    in
    {
      overlays.default = final: _: { trustix-proxy = final.callPackage ./nix/package.nix { }; };

      packages = each (system: rec {
        inherit (pkgsOf system) trustix-proxy;
        default = trustix-proxy;
      });

      nixosModules = {
        trustix-proxy = withOverlay ./nix/modules/proxy.nix;
        trustix-log = withOverlay ./nix/modules/log.nix;
        trustix-publisher = withOverlay ./nix/modules/publisher.nix;
        trustix-rebuilder = withOverlay ./nix/modules/rebuilder.nix;
        trustix-client = ./nix/modules/client.nix;
        default.imports = with self.nixosModules; [
          trustix-proxy
          trustix-log
          trustix-publisher
          trustix-rebuilder
          trustix-client
        ];
      };

      # A Mac asks a proxy in a container or on another machine.
      darwinModules.default = ./nix/modules/client.nix;

      homeModules.default =
        { pkgs, ... }:
        {
          imports = [ ./nix/modules/home.nix ];
          services.trustix-proxy.package = nixpkgs.lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.default;
        };

      templates.default = {
        path = ./nix/template;
        description = "A NixOS machine whose Nix asks trustix-proxy alone";
      };

      checks = each (
        system:
        import ./nix/checks {
          pkgs = pkgsOf system;
          module = self.nixosModules.default;
        }
        // {
          package = self.packages.${system}.default;
        }
      );

      devShells = each (system: {
        default = (pkgsOf system).callPackage ./nix/shell.nix { };
      });

      formatter = each (system: (pkgsOf system).nixfmt-tree);
    };
}

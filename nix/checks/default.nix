# What a whole machine does, in virtual machines: `nix flake check`, or `nix build .#checks.x86_64-linux.agreement`.
{ pkgs, module }:

let
  lab = import ./lab.nix { inherit pkgs module; };
  check = file: pkgs.testers.nixosTest (import file { inherit lab; });
in
{
  agreement = check ./agreement.nix;
  split = check ./split.nix;
  log-down = check ./log-down.nix;
  forged-nar = check ./forged-nar.nix;
  replica = check ./replica.nix;
  post-build-hook = check ./post-build-hook.nix;
}

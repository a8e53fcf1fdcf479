using TrustixProxy.Configuration;

namespace TrustixProxy.Setup;

/// <summary>What is left to do after <c>init</c>, as text.</summary>
internal static class NextSteps
{
    public static string OfProxy(SetupAnswers answers, PresetFiles files)
    {
        var isForOthers = answers.Preset is Preset.Organisation;
        var reports = answers.Preset is Preset.SecondVoice;
        var port = answers.Port is Ports.Proxy ? "" : $"\n    port = {answers.Port};";
        var besides = reports ? $"\n  nix.settings.trusted-public-keys = lib.mkForce [ \"{answers.Cache.Key}\" ]; # while it reports" : "";
        return $$"""

            Run it:
              trustix-proxy serve --config {{ShellWord.Of(files.Proxy)}}

            {{(isForOthers ? "nix.conf of the machines that ask it" : "nix.conf")}}, with no other substituter or key, or the vote is bypassed:
              substituters = {{(isForOthers ? answers.Url ?? $"http://{HostName.Own}:{answers.Port}" : $"http://127.0.0.1:{answers.Port}")}}
              trusted-public-keys = {{files.SigningKey}}{{(reports ? $" {answers.Cache.Key}" : "")}}
            {{(reports ? Report(ShellWord.Of(files.Proxy)) : "")}}
            NixOS, instead of both, with trustix-proxy.json copied beside your configuration:
              services.trustix-proxy = {
                enable = true;
                configureNix = true;{{(isForOthers ? "\n    address = \"0.0.0.0\";\n    openFirewall = true;" : "")}}{{port}}
                signingKeyFile = {{NixText(Path.Combine(answers.Directory, "signing.key"))}};
                publicKey = "{{files.SigningKey}}";
                settings = removeAttrs (lib.importJSON ./trustix-proxy.json) [ "listen" "signingKeyFile" ];
              };{{besides}}
            """;
    }

    /// <summary>A text of the Nix language.</summary>
    private static string NixText(string text)
    {
        var escaped = text.Replace(@"\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("${", @"\${", StringComparison.Ordinal);
        return $"\"{escaped}\"";
    }

    /// <summary>Key texts are one line, so that they can be pasted into a shell.</summary>
    public static string OfFarms(SetupAnswers answers, PresetFiles files) => $$"""

        Run it:
          trustix-proxy serve --config {{ShellWord.Of(files.Proxy)}}

        Guix must believe its key alone, or the vote is bypassed: take the farms' keys out of /etc/guix/acl, then authorize it.
          printf '(acl)' > /etc/guix/acl
          echo '{{files.GuixKey}}' | guix archive --authorize

        Then start guix-daemon with this option, in place of the farms:
          --substitute-urls=http://127.0.0.1:{{answers.Port}}
        {{(answers.Reports ? ReportOfFarms : "")}}
        """;

    private const string ReportOfFarms = """

        The proxy reports at first: it serves what ci has signed, with ci's signature, and records what it would refuse.
        Leave ci's key in /etc/guix/acl until "mode" and "fallback" are removed from the configuration.

        """;

    private static string Report(string file) => $"""

        The proxy reports at first: it serves what the cache has signed, and records what it would refuse. Look at that with:
          trustix-proxy doctor --config {file}
          trustix-proxy wanted --config {file}
        Then remove "mode" and "fallback" from the configuration, and the cache's key from Nix.

        """;

    public static string OfBuilder(SetupAnswers answers, PresetFiles files, Voter log) => $$"""
        others add: {{log}}

        Run it, and tell Nix's hook where it is (nix.conf: post-build-hook = /etc/nix/post-build-hook):
          trustix-proxy log serve --config {{ShellWord.Of(files.Log)}}
          trustix-proxy publish --config {{ShellWord.Of(files.Publish)}}

        NixOS, instead of all that:
          services.trustix-log = {
            enable = true;
            address = "0.0.0.0";
            openFirewall = true;{{(answers.Port is Ports.Log ? "" : $"\n    port = {answers.Port};")}}
            logs.{{log.Name}} = {
              privateKeyFile = {{NixText(Path.Combine(answers.Directory, "log.key"))}};
              writeTokens = [ "{{files.WriteToken}}" ];
            };
          };
          services.trustix-publisher = {
            enable = true;
            tokenFile = {{NixText(Path.Combine(answers.Directory, "token.key"))}};
          };
        """;
}

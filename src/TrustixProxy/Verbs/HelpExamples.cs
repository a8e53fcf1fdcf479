using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace TrustixProxy.Verbs;

/// <summary><c>--help</c>, with how a verb is typed and what its exit codes say.</summary>
internal sealed class HelpExamples(HelpAction plain) : SynchronousCommandLineAction
{
    private static readonly Dictionary<string, string[]> Examples = new()
    {
        [""] = ["demo                                     # see what it does, on loopback",
            "init                                     # ask, then write a configuration with keys",
            "VERB --help                              # each verb has examples"],
        ["serve"] = ["serve --config proxy.json",
            "serve                                    # from the environment alone: TRUSTIXPROXY__LISTEN__0=http://127.0.0.1:8080"],
        ["log"] = ["log VERB --help                          # serve runs the node; the other verbs are for its operator and builders"],
        ["log serve"] = ["log serve --config log.json"],
        ["log submit"] = ["log submit --token-file token.key ./result"],
        ["log submit-closure"] = ["log submit-closure --token-file token.key --exclude 'secret-*' /run/current-system"],
        ["log fsck"] = ["log fsck --config log.json --json"],
        ["log export"] = ["log export --config log.json --to /srv/log   # a later run adds only new entries"],
        ["log import"] = ["log import --config log.json --from /srv/log"],
        ["log proof"] = ["log proof ./result --config log.json --output DIGEST.tlog-proof"],
        ["log conflicts"] = ["log conflicts --config log.json          # which builders disagree?"],
        ["log token"] = ["log token token.key", "log token token.key --call trustix_rpc.v1.LogRPC/Submit --body message.bin"],
        ["hook"] = [
            "hook                                     # in a script named in nix.conf: post-build-hook = /etc/nix/hook"],
        ["publish"] = ["publish --config publish.json            # until stopped",
            "publish --config publish.json --once     # for a timer"],
        ["rebuild"] = ["rebuild /nix/store/…-hello-2.12.1        # build it in a store of its own, and publish what came out",
            "rebuild --config rebuild.json            # until stopped: what proxies could not decide on",
            "rebuild --config rebuild.json --results  # what was built, from which inputs, and what failed"],
        ["init"] = ["init                                     # looks around, proposes, asks; then tries what it wrote",
            "init --preset watch --directory /etc/trustix-proxy",
            "init --preset home --log alice,https://log.alice.example,KEY --log bob,https://log.bob.example,KEY",
            "init --preset second-voice --rebuilder alice,https://lila.example,alice-1:KEY --quorum 1",
            "init --preset farms                      # for GNU Guix: both official build farms must agree"],
        ["keygen"] = ["keygen signing.key                       # for serve; clients trust the printed key",
            "keygen token.key --name builder          # a write token; add the printed half to writeTokens",
            "keygen log.key --origin log.alice.example/nix",
            "keygen signing.key --guix                # for GNU Guix: the public half of an existing key"],
        ["check-config"] = ["check-config --config proxy.json",
            "check-config --config proxy.json --explain   # the policy in sentences",
            "check-config --keys                      # all keys, as Markdown"],
        ["explain"] = ["explain /nix/store/…-hello-2.12.1 --config proxy.json",
            "explain ./result --config proxy.json --bundle hello.json   # its proofs, for verify"],
        ["why"] = ["why --config proxy.json                  # what holds the running system back?",
            "why ./result --config proxy.json", "nix-store -qR ./result | trustix-proxy why - --json --config proxy.json"],
        ["doctor"] = ["doctor --config proxy.json               # the running system",
            "doctor ./result --baseline doctor.json --config proxy.json   # for CI: what is new since the last run",
            "nix-store -qR ./result | trustix-proxy doctor - --config proxy.json",
            "doctor ~/.guix-profile --acl /etc/guix/acl --config proxy.json   # GNU Guix: also the keys that bypass the vote"],
        ["wanted"] = ["wanted --config proxy.json               # what needs another builder, the most useful first",
            "wanted --json --config proxy.json"],
        ["gate"] = [
            "gate /run/current-system ./result --config proxy.json   # would all of the update be served?",
            "gate old.txt new.txt --config proxy.json --format github"],
        ["diff"] = [
            "diff ./result --config proxy.json        # the first two sources with different outputs",
            "diff /nix/store/…-hello-2.12.1 --between alice local --config proxy.json",
            "diff /nix/store/…-hello-2.12.1 --between a.nar b.nar.xz --json"],
        ["verify"] = ["verify hello.json --policy proxy.json",
            "verify /var/lib/trustix-proxy/evidence/mallory-split-view-20261124T120000Z.json --config proxy.json"],
        ["policy"] = ["policy VERB --help"],
        ["policy test"] = ["policy test linux-6.1 --config proxy.json"],
        ["logs"] = ["logs --config proxy.json                 # exit code 1: a log is frozen"],
        ["logs unfreeze"] = ["logs unfreeze alice --reason 'restored from an old backup; asked the operator' --config proxy.json"],
        ["revoke"] = ["revoke /nix/store/…-hello-2.12.1 --reason 'it phones home' --config proxy.json",
            "revoke --log alice --since 120345 --reason 'broken into' --config proxy.json"],
        ["audit"] = ["audit --since 2027-01-31 --json --config proxy.json"],
        ["audit-cache"] = [
            "audit-cache https://cache.nixos.org ./result   # do its NARs match its narinfos?",
            "audit-cache https://cache.example --closure ./result --public-key NAME:KEY --state audit.json --rate 10MiB",
            "nix-store -qR ./result | trustix-proxy audit-cache main - --config proxy.json"],
        ["audit prune"] = ["audit prune --before 2027-01-31 --config proxy.json"],
        ["nar-store"] = ["nar-store VERB --help"],
        ["nar-store fsck"] = [
            "nar-store fsck --config proxy.json       # check for damaged files", "nar-store fsck --delete --config proxy.json"],
        ["nar-store gc"] = ["nar-store gc --config proxy.json"],
        ["apt"] = ["apt VERB --help                          # for Debian packages: serve runs the gate"],
        ["apt serve"] = ["apt serve --config apt.json"],
        ["apt init"] = ["apt init --preset debian --rebuilder alice,https://rebuilder.alice.example --output /etc/trustix-apt.json",
            "apt init --archive debian,http://mirror.example/debian --rebuilder alice,https://rebuilder.alice.example,KEY --quorum 1"],
        ["apt explain"] = ["apt explain hello --config apt.json",
            "apt explain /var/cache/apt/archives/hello_2.10-3_amd64.deb --config apt.json --bundle hello.json"],
        ["apt verify"] = ["apt verify hello.json --config apt.json"],
        ["apt doctor"] = ["apt doctor --config apt.json             # does every source of this machine go through the gate?",
            "apt doctor --root /srv/chroot --gate http://gate.example:8092 --config apt.json"],
        ["apt releases"] = ["apt releases --config apt.json --json",
            "apt releases --log http://log.other-site.example:8090 --public-key KEY --config apt.json"],
        ["install"] = ["install --config proxy.json              # as root: a systemd service of a configuration that init wrote",
            "install --root image --program /usr/bin/trustix-proxy --config proxy.json   # into a folder, for an image"],
        ["uninstall"] = ["uninstall                                # keeps keys and state", "uninstall --purge"],
        ["completions"] = ["completions bash > ~/.local/share/bash-completion/completions/trustix-proxy"],
        ["man"] = ["man > trustix-proxy.1"],
        ["demo"] = ["demo", "demo --keep                              # keeps running, so that your own Nix can use it"],
    };

    /// <summary>What the exit codes of some verbs say in particular.</summary>
    private static readonly Dictionary<string, string[]> ExitCodes = new()
    {
        ["why"] =
        [
            "0  nothing holds a root back",
            "1  a path that would be refused holds a root back",
            "2  command line or configuration at fault",
            "3  only missing answers hold roots back, or Nix reports an error",
        ],
        ["doctor"] =
        [
            "0  nothing would be refused, and nothing is installed otherwise than accepted",
            "1  a path would be refused, or is installed otherwise than electors prove; with --baseline only what is new or became",
            "   worse counts: refused, in conflict, revoked, or contradicted, and not so before. Also: a client of Guix believes",
            "   another key than the proxy's, or not the proxy's",
            "2  command line, configuration or baseline file at fault",
            "3  only missing answers are in doubt, Nix reports an error, the list of a Guix client's keys cannot be read, or the",
            "   baseline cannot be written",
        ],
    };

    /// <summary>How a verb is typed.</summary>
    /// <param name="name">The words that lead to it; empty for the program alone.</param>
    public static IEnumerable<string> Of(string name) => Examples[name].Select(Typed);

    /// <summary>Has every verb below <paramref name="root"/> teach.</summary>
    public static void Add(RootCommand root)
    {
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpExamples((HelpAction)help.Action!);
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        var code = plain.Invoke(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        output.WriteLine("Examples:");
        var name = NameOf(parseResult.CommandResult.Command);
        foreach (var example in Of(name))
        {
            output.WriteLine($"  $ {example}");
        }

        output.WriteLine();
        output.WriteLine("Exit codes:");
        foreach (var line in ExitCodes.GetValueOrDefault(
            name, ["0 success, 1 negative answer, 2 invalid command line or configuration, 3 undetermined"]))
        {
            output.WriteLine($"  {line}");
        }

        output.WriteLine();
        return code;
    }

    private static string Typed(string example) =>
        example.Contains("| trustix-proxy ", StringComparison.Ordinal) ? example : $"trustix-proxy {example}";

    private static string NameOf(Command command) =>
        command is RootCommand ? "" : $"{NameOf(command.Parents.OfType<Command>().Single())} {command.Name}".TrimStart();
}

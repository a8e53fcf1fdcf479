using System.Text.RegularExpressions;
using TrustixProxy.Testing;

namespace TrustixProxy.Guix;

/// <summary>What the page for Guix tells people to type, typed on a real client.</summary>
[Collection(GuixLabCollection.Name)]
public sealed partial class ReadmeTests(GuixLab lab)
{
    private const string Through = "http://127.0.0.1:8080", Beside = $"https://ci.guix.gnu.org https://bordeaux.guix.gnu.org {Through}";

    private static readonly string Page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md"));

    private static readonly IReadOnlyList<string> Lines = [.. Typed.Matches(Page).Select(match => match.Groups[1].Value)];

    [GuixFact]
    public async Task Each_command_of_the_page_does_what_it_says()
    {
        await using var first = await SignedFarm.StartAsync();
        await using var second = await SignedFarm.StartAsync();
        await using var proxy = await GuixProxy.StartAsync(lab.Directory, [(first.Url, first.PublicKey), (second.Url, second.PublicKey)]);
        var folder = Directory.CreateDirectory(Path.Combine(lab.Directory, $"readme-{Guid.NewGuid():n}")).FullName;
        (await TypeHereAsync(folder, Line("init"))).OrThrow();
        Directory.CreateDirectory(Path.Combine(folder, "guix"));
        File.Copy(proxy.SigningKey, Path.Combine(folder, "guix/signing.key"), overwrite: true);
        (await TypeHereAsync(folder, Line("keygen"))).OrThrow();
        var client = await lab.StartClientAsync([proxy.Url]);
        Task<Result> TypeAsync(string line) => client.RunAsync("sh", "-c", $"cd '{folder}' && " + line
            .Replace(Beside, $"{first.Url} {second.Url} {proxy.Url}", StringComparison.Ordinal)
            .Replace(Through, proxy.Url, StringComparison.Ordinal));

        (await TypeAsync(Line("printf"))).OrThrow();
        (await TypeAsync(Line("guix archive"))).OrThrow();
        var path = (await client.RunScriptAsync("package.scm", "hello")).OrThrow().Output.Trim();
        var nar = GuixNars.OfProgram("hello", "#!/bin/sh\n"u8.ToArray());
        first.Add(path, nar);
        second.Add(path, nar);
        var built = (await TypeAsync(Line("guix build"))).OrThrow();
        var weather = (await TypeAsync(Line("guix weather"))).OrThrow();
        var challenge = await TypeAsync(Line("guix challenge").Replace(" hello", $" {path}", StringComparison.Ordinal));
        var doctor = await client.RunVerbAsync(
            [.. Line("trustix-proxy doctor").Replace("~/.guix-profile", path, StringComparison.Ordinal)
                .Replace("/etc/guix/acl", client.PathOf("etc/acl"), StringComparison.Ordinal)
                .Replace("FILE", proxy.Configuration, StringComparison.Ordinal).Split(' ').Skip(1)]);

        (await TypeAsync(Lines.Last(line => line.Contains("printf", StringComparison.Ordinal)))).OrThrow();
        (await TypeAsync(Lines.Last(line => line.Contains("guix archive", StringComparison.Ordinal)))).OrThrow();
        var believed = await File.ReadAllTextAsync(client.PathOf("etc/acl"));

        Assert.Equal(10, Lines.Count);
        Assert.Equal(2, believed.Split("(public-key").Length - 1); // the farms', and no longer the proxy's
        Assert.Equal(path, built.Output.Trim());
        Assert.Contains("100.0% substitutes available", weather.Output, StringComparison.Ordinal);
        Assert.True(challenge.Code is 0, $"{challenge}"); // the farms and the vote agree
        Assert.True(doctor.Code is 0, $"{doctor}");
        Assert.Contains("and none that bypasses the vote", doctor.Output, StringComparison.Ordinal);
        Assert.Contains($"| `{Through}` |", Page, StringComparison.Ordinal);
        Assert.Contains($"| `{Beside}` |", Page, StringComparison.Ordinal);
    }

    /// <summary>The first line that contains it: the way back, at the end, has some of the same commands.</summary>
    private static string Line(string command) => Lines.First(line => line.Contains(command, StringComparison.Ordinal));

    private static Task<Result> TypeHereAsync(string folder, string line) => Shell.RunAsync("sh", ["-c",
        $"cd '{folder}' && {line.Replace("trustix-proxy init", $"{Executable.Words} init", StringComparison.Ordinal)
            .Replace("trustix-proxy keygen", $"{Executable.Words} keygen", StringComparison.Ordinal)}"]);

    [GeneratedRegex("^[$#] ([a-z].+)$", RegexOptions.Multiline)]
    private static partial Regex Typed { get; }
}

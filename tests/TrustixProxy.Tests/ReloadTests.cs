using System.Diagnostics;
using System.Globalization;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

public sealed class ReloadTests
{
    [Fact]
    public async Task A_changed_configuration_is_taken_over_one_with_faults_is_refused_and_SIGHUP_reads_it_again()
    {
        using var folder = new Folder();
        var (certificate, key) = TestCertificate.Write(folder.Path, "a");
        string Config(string more) => $$"""{ "stateDirectory": "{{folder.Path}}/state", "listen": ["http://127.0.0.1:0"], "operations": { "listen": [] }, "tls": { "certificateFile": "{{certificate}}", "keyFile": "{{key}}" }{{more}} }""";
        var config = folder.File("c.json", Config(""));
        using var process = Process.Start(Executable.Start("serve", "--config", config))!;
        var url = (await LineAsync(process, "serving at "))["serving at ".Length..];
        using var client = new HttpClient { BaseAddress = new Uri(url) };

        folder.File("c.json", Config(""", "priority": 50 """));
        await LineAsync(process, "reloaded: ");
        Assert.Contains("Priority: 50\n", await client.GetStringAsync("nix-cache-info"), StringComparison.Ordinal);

        folder.File("c.json", Config(""", "priority": 0, "prioritty": 1 """));
        await LineAsync(process, "priority: is '0'; it must be a whole number from 1 to 1000.");
        await LineAsync(process, "prioritty: is not a key of this configuration; 'priority' is.");
        await LineAsync(process, "2 faults; the previous configuration stays in force.");
        folder.File("c.json", Config(""", "narStore": { "directory": "/tmp", "maxSize": "1MiB" } """).Replace("127.0.0.1:0", "127.0.0.1:1", StringComparison.Ordinal));
        await LineAsync(process, "listen: cannot change while the proxy runs");
        Assert.Contains("Priority: 50\n", await client.GetStringAsync("nix-cache-info"), StringComparison.Ordinal);

        folder.File("c.json", Config(""", "priority": 60 """));
        await LineAsync(process, "reloaded: ");
        TestCertificate.Write(folder.Path, "a"); // a file that it names
        await LineAsync(process, "reloaded: ");
        using (var hangUp = Process.Start("kill", ["-HUP", process.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            await LineAsync(process, "reloaded: ");
        }

        Assert.Contains("Priority: 60\n", await client.GetStringAsync("nix-cache-info"), StringComparison.Ordinal);
        using var stop = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    private static async Task<string> LineAsync(Process process, string begin)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var lines = new List<string>();
        while (await process.StandardError.ReadLineAsync(limit.Token) is { } line)
        {
            lines.Add(line);
            if (line.StartsWith(begin, StringComparison.Ordinal))
            {
                return line;
            }
        }

        throw new InvalidOperationException($"'{begin}' was not said, but: {string.Join('\n', lines)}");
    }
}

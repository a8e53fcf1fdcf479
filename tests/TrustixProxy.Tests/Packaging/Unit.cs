using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>A systemd unit that one of the modules makes, and what systemd would do with it.</summary>
internal sealed partial class Unit
{
    private readonly JsonElement _unit;
    private readonly JsonElement _build;
    private readonly string[] _words;

    public Unit(JsonElement machine, string name)
    {
        _unit = machine.GetProperty("systemd").GetProperty("services").GetProperty(name);
        var command = Command.Match(_unit.GetProperty("serviceConfig").GetProperty("ExecStart").GetString()!);
        Assert.True(command.Success);
        (_words, _build) = (command.Groups[1].Value.Split(' '), JsonDocument.Parse(command.Groups[2].Value).RootElement);
    }

    /// <summary>The configuration as NixOS writes it.</summary>
    public JsonElement Configuration => JsonDocument.Parse(_build.GetProperty("value").GetString()!).RootElement;

    public JsonElement Service => _unit.GetProperty("serviceConfig");

    /// <summary>Makes the configuration's file as the build of the system would, with its check.</summary>
    public async Task<string> BuildAsync(Folder folder)
    {
        var (value, result) = (folder.File("value", _build.GetProperty("value").GetString()), folder.File("configuration.json"));
        await Packaging.Command.RunAsync("sh", ["-euc", $"cd {folder.Path}\n{_build.GetProperty("script").GetString()}"],
            new() { ["valuePath"] = value, ["out"] = result });
        return result;
    }

    /// <summary>What systemd finds wrong with the unit, whose command is replaced by one of this machine.</summary>
    public async Task<string> FindFaultsAsync(Folder folder, string name)
    {
        var lines = Service.EnumerateObject().Where(setting => setting.Name is not ("ExecStart" or "ExecReload")).SelectMany(setting =>
            (setting.Value.ValueKind is JsonValueKind.Array ? setting.Value.EnumerateArray() : Enumerable.Repeat(setting.Value, 1))
                .Select(value => $"{setting.Name}={value}"));
        var environment = _unit.GetProperty("environment").EnumerateObject().Select(variable =>
            $"Environment=\"{variable.Name}={variable.Value}\"");
        var file = folder.File($"{name}.service", $"[Service]\nExecStart=/bin/true\n{string.Join('\n', lines.Concat(environment))}\n");
        using var verify = Process.Start(new ProcessStartInfo("systemd-analyze", ["verify", "--man=no", file])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        var said = await verify.StandardError.ReadToEndAsync();
        await verify.WaitForExitAsync();
        return string.Join('\n', said.Split('\n').Where(line => line.Contains(name, StringComparison.Ordinal)));
    }

    /// <summary>Starts what the unit starts, with its environment and its credentials, until it says that it is ready; reloads it where the
    /// unit says how, and ends it.</summary>
    /// <param name="folder">Where files go.</param>
    /// <param name="others">What has to differ on a machine that is not the unit's alone.</param>
    public async Task StartAndStopAsync(Folder folder, Dictionary<string, string> others)
    {
        var credentials = Directory.CreateDirectory(folder.File("credentials")).FullName;
        foreach (var credential in Service.GetProperty("LoadCredential").EnumerateArray())
        {
            await File.WriteAllTextAsync(
                Path.Combine(credentials, credential.GetString()!.Split(':')[0]), NixSecretKey.Generate("credential-1").Export());
        }

        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(folder.File("notify")));
        var start = Executable.Start([.. _words, "--config", await BuildAsync(folder)]);
        (start.Environment["CREDENTIALS_DIRECTORY"], start.Environment["NOTIFY_SOCKET"]) = (credentials, folder.File("notify"));
        foreach (var variable in _unit.GetProperty("environment").EnumerateObject())
        {
            start.Environment[variable.Name] = variable.Value.GetString()!.Replace("%d", credentials, StringComparison.Ordinal);
        }

        foreach (var (name, value) in others)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var isReloaded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var error = ReadAsync(
            process.StandardError, line => _ = line.StartsWith("reloaded: ", StringComparison.Ordinal) && isReloaded.TrySetResult());
        try
        {
            Assert.Equal("READY=1", await Task.WhenAny(ReceiveAsync(manager), EndedAsync(process, error)).Unwrap());
            if (Service.TryGetProperty("ExecReload", out var reload))
            {
                await Packaging.Command.RunAsync("sh", ["-euc", reload.GetString()!.Replace("/coreutils/bin/", "",
                    StringComparison.Ordinal)], new() { ["MAINPID"] = process.Id.ToString(CultureInfo.InvariantCulture) });
                await isReloaded.Task.WaitAsync(TimeSpan.FromSeconds(60));
            }

            using var stop = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
            Assert.Equal("STOPPING=1", await ReceiveAsync(manager));
            using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            await process.WaitForExitAsync(timeout.Token);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            process.Kill();
        }
    }

    private static async Task<string> ReadAsync(StreamReader reader, Action<string> onLine)
    {
        var text = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line)
        {
            text.AppendLine(line);
            onLine(line);
        }

        return text.ToString();
    }

    private static async Task<string> ReceiveAsync(Socket socket)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var buffer = new byte[256];
        return Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer, timeout.Token));
    }

    private static async Task<string> EndedAsync(Process process, Task<string> error)
    {
        await process.WaitForExitAsync();
        return $"it ended with {process.ExitCode}: {await error}";
    }

    [GeneratedRegex("^/package/bin/trustix-proxy (.+) --config «(.+)»$", RegexOptions.Singleline)]
    private static partial Regex Command { get; }
}

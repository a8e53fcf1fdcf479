using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Tests.Store;

/// <summary>A process that is killed wherever the writing of NARs can be.</summary>
public sealed class NarStoreCrashTests : IDisposable
{
    private const long MaxSize = 3_000_000;

    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-crash-").FullName;

    private string Nars => Directory.CreateDirectory(Path.Combine(_directory, "nars")).FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Of_500_writes_killed_at_random_points_none_leaves_a_wrong_or_partial_file_or_one_too_many()
    {
        var (seed, begun, kills, served) = (Random.Shared.Next(), 0, 0, 0);
        for (; begun < 500 || kills < 16; kills++)
        {
            begun += await WriteUntilKilledAsync(seed + kills);
            served += await CheckAsync($"seed {seed}, kill {kills}");
        }

        Assert.True(served > kills, $"seed {seed}: {served} files in all were served after {kills} kills");
    }

    [Fact]
    public async Task A_full_disk_costs_what_does_not_fit_and_nothing_else_until_there_is_room()
    {
        string[] fill = [
            "dotnet", Path.Combine(AppContext.BaseDirectory, "TrustixProxy.CrashingProxy.dll"), "nar-store-full", Nars, _directory];
        string[] mounted = [
            "unshare", "--map-root-user", "--mount", "sh", "-c", $"mount -t tmpfs -o size=1m none '{Nars}' && exec \"$@\"", "sh"];
        using var probe = Process.Start(new ProcessStartInfo(mounted[0], [.. mounted[1..], "true"]) { RedirectStandardError = true })!;
        await probe.WaitForExitAsync();
        string[] command = probe.ExitCode is 0 ? [.. mounted, .. fill] : fill;
        using var process = Process.Start(
            new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.True(process.ExitCode is 0, output + await error);
    }

    private async Task<int> WriteUntilKilledAsync(int seed)
    {
        using var process = Process.Start(new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "TrustixProxy.CrashingProxy.dll"), "nar-store", Nars, _directory,
                MaxSize.ToString(CultureInfo.InvariantCulture), seed.ToString(CultureInfo.InvariantCulture)])
        { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await process.WaitForExitAsync(patience.Token);

        Assert.Equal(137, process.ExitCode);
        return output.Count(character => character is '\n');
    }

    /// <summary>Opens the store as a new process does: everything in it is served, and is what its name says.</summary>
    private async Task<int> CheckAsync(string what)
    {
        using var state = new StateWriter(_directory);
        using var known = new KnownFiles(state, new RecordSeal(NixSecretKey.Generate("check"), []), null, TimeProvider.System);
        using var store = new NarStore(new NarStoreOptions(Nars, MaxSize, ["pinned-*"]), known, TimeProvider.System, NullLogger.Instance);
        store.Start();
        await store.Loaded;
        Assert.Empty(Directory.GetFiles(Nars));
        var (count, bytes) = (0, 0L);
        foreach (var (nar, size, _) in new NarStoreFolder(Nars).List().ToList())
        {
            var file = await store.FindAsync(nar, TimeSpan.FromSeconds(30), CancellationToken.None);
            Assert.True(file is not null, $"{what}: {nar} is not served");
            var content = await File.ReadAllBytesAsync(file.Path);
            Assert.Equal((size, nar.FileHash), (content.Length, NixHash.Sha256(SHA256.HashData(content))));
            (count, bytes) = (count + 1, bytes + size);
        }

        Assert.Equal(bytes, store.Size);
        Assert.InRange(bytes, 0, MaxSize);
        return count;
    }
}

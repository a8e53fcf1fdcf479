using System.Globalization;
using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

public sealed class NarStoreVerbTests
{
    [Fact]
    public async Task Fsck_finds_what_is_damaged_and_gc_makes_room()
    {
        using var folder = new Folder();
        var outputs = new[] { "none", "xz", "zstd" }.Select(
            (compression, i) => (Output: TestOutput.Make(i is 2 ? "kept-1" : "some-1", 3000), Compression: compression)).ToList();
        var files = outputs.Select((item, i) => Write(folder, item.Output, item.Compression, DateTime.UtcNow.AddDays(-10 + i))).ToList();
        File.WriteAllText(folder.File("nars/.writing-0123"), "half");
        var size = files.Sum(file => new FileInfo(file).Length);
        var config = folder.File("config.json", $$"""
            { "stateDirectory": "{{folder.Path}}/state", "narStore": { "directory": "{{folder.Path}}/nars", "maxSize": "{{size - 1}}",
                "pinned": ["kept-*"] } }
            """);

        var good = await Cli.RunAsync(["nar-store", "fsck", "--config", config]);
        var bytes = File.ReadAllBytes(files[1]);
        bytes[^5] ^= 1;
        File.WriteAllBytes(files[1], bytes);
        var bad = await Cli.RunAsync(["nar-store", "fsck", "--config", config, "--json"]);
        var deleted = await Cli.RunAsync(["nar-store", "fsck", "--config", config, "--delete"]);
        Write(folder, outputs[1].Output, "xz", DateTime.UtcNow);
        var collected = await Cli.RunAsync(["nar-store", "gc", "--config", config, "--json"]);

        Assert.Equal(
            (0, $"3 NARs of {size.ToString("N0", CultureInfo.InvariantCulture)} bytes, all match their names\n", ""), good);
        Assert.Equal((1, ""), (bad.Code, bad.Error));
        Assert.Equal(
            $"{outputs[1].Output.Path}/{Path.GetFileName(files[1])} FileHash", JsonDocument.Parse(bad.Output).RootElement.GetProperty(
            "damaged").EnumerateArray().Single() is var one ? $"{one.GetProperty("file")} {one.GetProperty("fault")}" : "");
        Assert.Equal(1, deleted.Code);
        Assert.Contains(": FileHash, deleted\n3 NARs of ", deleted.Output, StringComparison.Ordinal);
        Assert.Equal(0, collected.Code);
        var result = JsonDocument.Parse(collected.Output).RootElement;
        Assert.Equal((1, 1), (result.GetProperty("deleted").GetInt32(), result.GetProperty("abandoned").GetInt32()));
        Assert.Equal([false, true, true, false], files.Append(folder.File("nars/.writing-0123")).Select(File.Exists));
    }

    [Fact]
    public async Task Without_a_store_there_is_nothing_to_look_after()
    {
        using var folder = new Folder();
        var none = await Cli.RunAsync(["nar-store", "gc", "--config", folder.File("none.json", "{}")]);
        var gone = await Cli.RunAsync(["nar-store", "fsck", "--config", folder.File("gone.json", $$"""{ "narStore": { "directory": "{{folder.Path}}/gone" } }""")]);
        var bad = await Cli.RunAsync(["nar-store", "fsck", "--config", folder.File("bad.json", """{ "narStore": { "maxSize": "10 GB" } }""")]);

        Assert.Equal((2, 3, 2), (none.Code, gone.Code, bad.Code));
        Assert.Contains("narStore: is missing", none.Error, StringComparison.Ordinal);
        Assert.Contains("gone' cannot be used", gone.Error, StringComparison.Ordinal);
        Assert.Contains(
            "narStore.maxSize: is '10 GB'; it must be a number of bytes from 1 to 1024TiB: digits, and then KiB, MiB, GiB, TiB or nothing.",
            bad.Error, StringComparison.Ordinal);
    }

    private static string Write(Folder folder, TestOutput output, string compression, DateTime usedAt)
    {
        var suffix = compression switch { "xz" => ".xz", "zstd" => ".zst", _ => "" };
        var narInfo = output.NarInfo(compression);
        var path = folder.File($"nars/{output.Path}/{narInfo.NarHash.Digits}-{narInfo.NarSize}-{narInfo.FileHash!.Digits}.nar{suffix}");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, output.File(compression));
        File.SetLastWriteTimeUtc(path, usedAt);
        return path;
    }
}

using System.Diagnostics;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>The archive that <c>src/tarball</c> makes: the same bytes each time, with a checksum, and what is in it runs.</summary>
public sealed class TarballTests
{
    private static readonly string Script = Path.Combine(Repository.Root, "src/tarball");

    [Fact]
    public async Task The_same_files_give_the_same_bytes_whoever_packs_them_and_when()
    {
        using var folder = new Folder();
        var (first, second) = (Published(folder, "first"), Published(folder, "second"));
        File.SetLastWriteTimeUtc(Path.Combine(second, "trustix-proxy"), new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));
        File.SetUnixFileMode(Path.Combine(second, "libe_sqlite3.so"), UnixFileMode.UserRead | UnixFileMode.UserWrite);

        await PackAsync(folder, first, "a", "umask 022");
        await PackAsync(folder, second, "b", "umask 077");

        byte[] Archive(string name) => File.ReadAllBytes(Directory.GetFiles(folder.File(name), "*.tar.gz").Single());
        Assert.Equal(Archive("a"), Archive("b"));
    }

    [Fact]
    public async Task What_the_checksum_covers_is_unpacked_and_runs()
    {
        using var folder = new Folder();
        // the installed program, where tests/run has made one
        var published = Executable.Command is [var program] ? Path.GetDirectoryName(program)! : Published(folder, "published");

        var archive = await PackAsync(folder, published, "out", "umask 022");
        var version = await Command.RunAsync("sh", ["-euc",
            $"cd '{folder.File("out")}' && sha256sum --check --strict --quiet SHA256SUMS && "
            + $"tar -xzf '{archive}' && cd \"$(basename '{archive}' .tar.gz)\" && test -s LICENSE && test -x post-build-hook "
            + "&& ./trustix-proxy --version"]);

        Assert.Matches($@"^{folder.File("out")}/trustix-proxy-[0-9.]+-linux-(x64|arm64)\.tar\.gz$", archive);
        Assert.Contains($"-{version.Split('+')[0].Trim()}-", archive, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_kind_of_machine_has_a_line_in_the_checksums()
    {
        using var folder = new Folder();
        var published = Published(folder, "published");

        await PackAsync(folder, published, "out", "umask 022", "--rid", "linux-x64");
        await PackAsync(folder, published, "out", "umask 022", "--rid", "linux-arm64");

        var lines = await File.ReadAllLinesAsync(folder.File("out/SHA256SUMS"));
        Assert.Equal(2, lines.Length);
        Assert.EndsWith("-linux-arm64.tar.gz", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("-linux-x64.tar.gz", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_without_the_program_is_refused()
    {
        using var folder = new Folder();
        var start = new ProcessStartInfo(Script, [folder.File("out"), "--from", folder.Path]) { RedirectStandardError = true };
        using var packing = Process.Start(start)!;
        var error = await packing.StandardError.ReadToEndAsync();
        await packing.WaitForExitAsync();

        Assert.Equal(2, packing.ExitCode);
        Assert.Equal($"src/tarball: {folder.Path} has no trustix-proxy; --from takes a folder that dotnet publish has made.\n", error);
    }

    /// <summary>Files as <c>dotnet publish</c> leaves them, with a program that only knows its version.</summary>
    private static string Published(Folder folder, string name)
    {
        RunnableFile.WriteScript(folder.File($"{name}/trustix-proxy"), "echo 0.1.0");
        folder.File($"{name}/libe_sqlite3.so", "library");
        folder.File($"{name}/libsodium.so", "library");
        return folder.File(name);
    }

    private static async Task<string> PackAsync(Folder folder, string from, string to, string before, params string[] more) =>
        (await Command.RunAsync("sh", ["-euc", $"{before}; exec \"$@\"", "sh", Script, folder.File(to), "--from", from, .. more],
            new() { ["SOURCE_DATE_EPOCH"] = "1700000000" })).Trim();
}

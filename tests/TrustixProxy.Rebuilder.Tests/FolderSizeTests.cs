using System.Diagnostics;
using TrustixProxy.Rebuilder.Stores;
using TrustixProxy.Testing;

namespace TrustixProxy.Rebuilder.Tests;

public sealed class FolderSizeTests : IDisposable
{
    private const int Mebibyte = 1 << 20;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Hidden_files_in_hidden_folders_count_and_links_are_not_followed()
    {
        var hidden = Directory.CreateDirectory(Path.Combine(_folder.Path, ".hidden", "..more")).FullName;
        File.WriteAllBytes(Path.Combine(hidden, ".bytes"), new byte[Mebibyte]);
        File.CreateSymbolicLink(Path.Combine(hidden, "link"), "/usr");
        File.CreateSymbolicLink(Path.Combine(hidden, "loop"), hidden);

        Assert.InRange(await SizeAsync(_folder.Path), Mebibyte, Mebibyte + (8 * 4096));
    }

    [Fact]
    public async Task A_file_counts_by_itself_and_what_is_missing_counts_nothing()
    {
        var file = Path.Combine(_folder.Path, "file");
        File.WriteAllBytes(file, new byte[Mebibyte]);

        Assert.Equal((Mebibyte, 0L), (await SizeAsync(file), await SizeAsync(Path.Combine(_folder.Path, "none"))));
    }

    [Fact]
    public async Task Folders_and_the_rest_of_a_block_take_space_too()
    {
        for (var i = 0; i < 100; i++)
        {
            File.WriteAllText(Path.Combine(_folder.Path, $"{i}"), "x");
            Directory.CreateDirectory(Path.Combine(_folder.Path, $"folder-{i}"));
        }

        Assert.InRange(await SizeAsync(_folder.Path), 200 * 4096, Mebibyte);
    }

    [Fact]
    public async Task Folders_nested_without_end_and_names_that_are_no_text_hide_nothing()
    {
        var script = Path.Combine(_folder.Path, "deeper"); // enters one folder at a time, as a builder can
        File.WriteAllText(script, """
            n=$(printf '%0200d\\377' 0); mkdir "$n"
            [ $1 -eq 0 ] || exec env --chdir="$n" sh "$0" $(($1 - 1))
            head -c 1048576 /dev/zero > "$n/$n"
            """);
        using var shell = Process.Start(new ProcessStartInfo("/bin/sh", [script, "30"]) { WorkingDirectory = _folder.Path })!;
        await shell.WaitForExitAsync();

        var size = await SizeAsync(_folder.Path);
        using var remove = Process.Start("/bin/rm", ["-rf", "--", _folder.Path]);
        await remove.WaitForExitAsync();

        Assert.Equal(0, shell.ExitCode);
        Assert.InRange(size, Mebibyte, 2 * Mebibyte);
        Directory.CreateDirectory(_folder.Path);
    }

    [Fact]
    public async Task One_folder_that_comes_and_goes_hides_no_other()
    {
        var kept = Directory.CreateDirectory(Path.Combine(_folder.Path, "kept")).FullName;
        File.WriteAllBytes(Path.Combine(kept, "bytes"), new byte[Mebibyte]);
        using var ending = new CancellationTokenSource();
        var churn = Task.Run(() =>
        {
            while (!ending.IsCancellationRequested)
            {
                Directory.CreateDirectory(Path.Combine(_folder.Path, "a", "b", "c"));
                Directory.Delete(Path.Combine(_folder.Path, "a"), recursive: true);
            }
        });

        for (var i = 0; i < 100; i++)
        {
            Assert.True(await SizeAsync(_folder.Path) >= Mebibyte);
        }

        await ending.CancelAsync();
        await churn;
    }

    private static Task<long> SizeAsync(string path) => FolderSize.OfAsync([path], default);
}

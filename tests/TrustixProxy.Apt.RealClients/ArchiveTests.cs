using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Apt.RealClients;

/// <summary>Archives that change what passes, answer slowly, cut or send elsewhere: apt gets the agreed bytes or an error, and gets them
/// once the archive is whole again.</summary>
[Collection(AptLabCollection.Name)]
public sealed class ArchiveTests(AptLab lab) : IAsyncLifetime
{
    private Archive Archive { get; set; } = null!;

    private Gate Gate { get; set; } = null!;

    public async Task InitializeAsync()
    {
        if (AptFolder.AtHand is not null)
        {
            Archive = await Archive.StartAsync(lab.Folder);
            Gate = await Gate.StartAsync(lab.Directory, Archive.Url, lab.Both);
        }
    }

    public async Task DisposeAsync()
    {
        if (AptFolder.AtHand is not null)
        {
            await Gate.DisposeAsync();
            await Archive.DisposeAsync();
        }
    }

    [AptTheory]
    [InlineData("/InRelease", "Date: ")]
    [InlineData("/binary-", "")]
    public async Task A_list_that_was_changed_on_the_way_is_refused_and_not_kept(string file, string within)
    {
        var client = await AptClient.MakeAsync(lab.Directory, AptFolder.AtHand!, lab.Folder, Gate.Archive);
        Archive.Change = (path, bytes) => path.Contains(file, StringComparison.Ordinal) ? Damage(bytes, within) : bytes;

        var damaged = await client.RunAsync("-o", "Acquire::Retries=0", "-o", "APT::Update::Error-Mode=any", "update");

        Assert.False(damaged.IsGood, damaged.Text);
        Assert.False((await client.InstallAsync("hello")).IsGood);

        Archive.Change = (_, bytes) => bytes;
        var other = await lab.StartClientAsync(Gate); // the first goes on with the part that it has
        var installed = await other.InstallAsync("hello");
        Assert.True(installed.IsGood, installed.Text);
    }

    [AptFact]
    public async Task A_deb_that_was_changed_on_the_way_is_not_installed_and_not_kept()
    {
        var client = await lab.StartClientAsync(Gate);
        Archive.Change = (path, bytes) => path.EndsWith(".deb", StringComparison.Ordinal) ? Damage(bytes, "") : bytes;

        foreach (var package in new[] { AptLab.Hello, AptLab.Large })
        {
            var damaged = await client.TryInstallAsync(package.Name);

            Assert.False(damaged.IsGood);
            Assert.False(client.Has(package));
        }

        Archive.Change = (_, bytes) => bytes;
        var other = await lab.StartClientAsync(Gate); // the first goes on with the part that it has
        var installed = await other.InstallAsync("hello", "large");
        Assert.True(installed.IsGood, installed.Text);
        Assert.True(other.Has(AptLab.Hello) && other.Has(AptLab.Large));
    }

    [AptFact]
    public async Task An_archive_that_is_slow_or_cuts_a_deb_is_got_over()
    {
        var client = await lab.StartClientAsync(Gate);
        Archive.Send = async (context, bytes) =>
        {
            context.Response.ContentLength = bytes.Length;
            foreach (var part in bytes.Chunk(Math.Max(bytes.Length / 10, 1)))
            {
                await context.Response.Body.WriteAsync(part, context.RequestAborted);
                await Task.Delay(TimeSpan.FromMilliseconds(100), context.RequestAborted);
            }
        };
        var slow = await client.InstallAsync("hello");
        Assert.True(slow.IsGood, slow.Text);

        Archive.Send = CutOnceAsync;
        var cut = await client.InstallAsync("large");

        Assert.True(cut.IsGood, cut.Text);
        Assert.True(client.Has(AptLab.Large));
        Assert.Null(Archive.Send);
    }

    [AptFact]
    public async Task A_release_file_that_is_cut_comes_whole_and_is_taken_down()
    {
        var client = await AptClient.MakeAsync(lab.Directory, AptFolder.AtHand!, lab.Folder, Gate.Archive);
        Archive.Send = CutOnceAsync;

        var updated = await client.UpdateAsync();

        Assert.True(updated.IsGood, updated.Text);
        Assert.Null(Archive.Send);
        Assert.Equal(2, Archive.Requests.Count(path => path.EndsWith("/InRelease", StringComparison.Ordinal)));
        var release = Digest.Of(await File.ReadAllBytesAsync(Path.Combine(lab.Folder.Path, "dists/sid/InRelease")));
        await Eventually.UntilAsync(async () => $"{await Daemon.RunAsync(["apt", "releases", "--config", Gate.Configuration])}"
            .Contains($"{release}", StringComparison.Ordinal));
    }

    [AptFact]
    public async Task A_redirect_is_followed_and_one_that_goes_round_in_circles_is_not()
    {
        await using var mirror = await Archive.StartAsync(lab.Folder);
        Archive.Redirect = path => path.StartsWith("/pool/", StringComparison.Ordinal) ? new Uri(mirror.Url, path) : null;
        var client = await lab.StartClientAsync(Gate);

        var installed = await client.InstallAsync("hello");

        Assert.True(installed.IsGood, installed.Text);
        Assert.Contains(mirror.Requests, path => path.Contains("hello", StringComparison.Ordinal));

        mirror.Redirect = path => new Uri(Archive.Url, path);
        var round = await client.TryInstallAsync("large");

        Assert.False(round.IsGood);
        Assert.False(client.Has(AptLab.Large));
    }

    /// <summary>Breaks off in the middle of the next file; those behind it come whole.</summary>
    private async Task CutOnceAsync(HttpContext context, byte[] bytes)
    {
        Archive.Send = null;
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes.AsMemory(0, bytes.Length / 2), context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
        context.Abort();
    }

    /// <summary>Changes one byte behind a text, or in the middle.</summary>
    private static byte[] Damage(byte[] bytes, string within)
    {
        byte[] damaged = [.. bytes];
        var at = within.Length is 0 ? bytes.Length / 2 : bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(within)) + within.Length;
        damaged[at] ^= 1;
        return damaged;
    }
}

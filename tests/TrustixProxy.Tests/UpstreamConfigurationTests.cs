namespace TrustixProxy.Tests;

/// <summary>Who we are to upstreams, and what they are.</summary>
public sealed class UpstreamConfigurationTests
{
    [Theory]
    [InlineData("machine cache.corp login nix password s3cret")]
    [InlineData("# caches\nmachine other login a password b\n\nmachine CACHE.corp\n\tlogin nix\n\taccount x\n\tpassword \"s3 \\\"cret\"\n")]
    [InlineData("machine other login a password b macdef init\nmachine cache.corp\n\ndefault login nix password s3cret")]
    [InlineData("machine cache.corp password s3cret")]
    [InlineData("machine cache.corp login s3cret")]
    [InlineData("machine cache.corp password s3cret login nix\n")]
    [InlineData("default password s3cret")]
    [InlineData("MACHINE cache.corp LOGIN nix PASSWORD s3cret # of 2026")]
    [InlineData("port 1 machine cache.corp login a:b password s3cret protocol https")]
    [InlineData("machine cache.corp\nmachine cache.corp login nix password s3cret")]
    public async Task A_netrc_file_names_the_host(string netrc)
    {
        var (code, _, error) = await CheckAsync("https://cache.corp/nix", "netrcFile", netrc);

        Assert.True(code is 0, error);
        Assert.DoesNotContain("upstreams", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("machine other login a password b", "which has no entry for 'cache.corp'.")]
    [InlineData("machine cache.corp account x", "whose entry for 'cache.corp' has neither a login nor a password.")]
    [InlineData("default", "whose entry for 'default' has neither a login nor a password.")]
    [InlineData("# machine cache.corp login nix password s3cret", "which is not a netrc file")]
    [InlineData("nix:s3cret", "which is not a netrc file")]
    [InlineData("machine cache.corp login \"nix", "which is not a netrc file")]
    public async Task A_netrc_file_that_does_not_is_refused_and_no_secret_is_told(string netrc, string expected)
    {
        var (code, _, error) = await CheckAsync("https://cache.corp/nix", "netrcFile", netrc);

        Assert.Equal(2, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://cache.corp", "bearerFile", "t0ken\n", 0, "")]
    [InlineData("http://cache.corp", "bearerFile", "t0ken", 0, "upstreams: 'private' is sent its Bearer credentials over unencrypted http")]
    [InlineData("https://cache.corp", "bearerFile", "t0 ken", 2, "whose token has characters other than printable ASCII without spaces.")]
    [InlineData("file:///srv/cache", "bearerFile", "t0ken", 2, "is set for a folder")]
    [InlineData("file:///srv/cache", "priority", null, 0, "")]
    [InlineData("file://host/cache", "priority", null, 2, "is 'file://host/cache'; it must be an address with http:// or")]
    [InlineData("https://nix:s3cret@cache.corp", "priority", null, 2, "has a user name or password")]
    public async Task Tokens_and_folders(string url, string key, string? content, int expectedCode, string expected)
    {
        var (code, _, error) = await CheckAsync(url, key, content);

        Assert.Equal((expectedCode, error), (code, error));
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_others_may_read_is_refused()
    {
        var (code, _, error) = await CheckAsync(
            "https://cache.corp", "netrcFile", "machine cache.corp login nix password s3cret", UnixFileMode.GroupRead);

        Assert.Equal(2, code);
        Assert.Contains("which other users can read", error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> CheckAsync(
        string url, string key, string? content, UnixFileMode others = UnixFileMode.None)
    {
        using var folder = new Folder();
        var value = "7";
        if (content is not null)
        {
            value = folder.File("secret", content);
            File.SetUnixFileMode(value, UnixFileMode.UserRead | UnixFileMode.UserWrite | others);
        }

        var config = folder.File("config.json", $$"""{ "stateDirectory": "{{folder.Path}}/state", "upstreams": [{ "name": "private", "url": "{{url}}", "{{key}}": "{{value}}" }] }""");
        return await Cli.RunAsync(["check-config", "--config", config]);
    }
}

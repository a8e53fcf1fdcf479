using Microsoft.Extensions.Configuration;
using TrustixProxy.Configuration;

namespace TrustixProxy.Tests;

/// <summary>Addresses of buckets as nix.conf has them, and who signs.</summary>
public sealed class BucketConfigurationTests
{
    private const string Key = "[default]\naws_access_key_id = AKIDTEST\naws_secret_access_key = s3cret/+=\n"
        + "[ work ]\naws_access_key_id=AKIDWORK\naws_secret_access_key=s3cret\naws_session_token=t0ken\n"
        + "[half]\naws_access_key_id = AKIDHALF\n";

    [Theory]
    [InlineData("s3://nars", "https://nars.s3.us-east-1.amazonaws.com/", "us-east-1", null)]
    [InlineData("s3://nars?region=eu-central-1&profile=work&priority=7", "https://nars.s3.eu-central-1.amazonaws.com/", "eu-central-1", 7)]
    [InlineData("s3://nars/a/b/?region=cn-north-1", "https://nars.s3.cn-north-1.amazonaws.com.cn/a/b", "cn-north-1", null)]
    [InlineData("s3://nars.example.org?scheme=http", "http://s3.us-east-1.amazonaws.com/nars.example.org", "us-east-1", null)]
    [InlineData("s3://nars?addressing-style=path", "https://s3.us-east-1.amazonaws.com/nars", "us-east-1", null)]
    [InlineData("s3://nars?endpoint=minio.corp:9000&scheme=http", "http://minio.corp:9000/nars", "us-east-1", null)]
    [InlineData("s3://nars/x?endpoint=minio.corp", "https://minio.corp/nars/x", "us-east-1", null)]
    [InlineData("s3://nars?endpoint=http%3A%2F%2Fminio.corp%3A9000", "http://minio.corp:9000/nars", "us-east-1", null)]
    [InlineData("s3://nars?endpoint=https://r2.example&region=auto&addressing-style=virtual", "https://nars.r2.example/", "auto", null)]
    public void An_address_has_the_meaning_that_nix_gives_it(string text, string expected, string region, int? priority)
    {
        Assert.Null(BucketUrl.FaultOf(text, _ => null, out var url));

        Assert.Equal((expected, region, priority), (url!.Base.AbsoluteUri, url.Region, url.Priority));
    }

    [Fact]
    public void The_region_of_the_environment_counts_where_the_address_names_none()
    {
        string? Of(string name) => name is "AWS_DEFAULT_REGION" ? "eu-north-1" : name is "AWS_REGION" ? "" : null;

        Assert.Null(BucketUrl.FaultOf("s3://nars", Of, out var bare));
        Assert.Null(BucketUrl.FaultOf("s3://nars?region=eu-west-1", Of, out var named));

        Assert.Equal(("eu-north-1", "eu-west-1"), (bare!.Region, named!.Region));
    }

    [Theory]
    [InlineData("s3://", "it must be s3://BUCKET[/PREFIX]")]
    [InlineData("s3://ab", "it must be s3://BUCKET[/PREFIX]")]
    [InlineData("s3://a..b", "it must be s3://BUCKET[/PREFIX]")]
    [InlineData("s3://nars/#x", "it must be s3://BUCKET[/PREFIX]")]
    [InlineData("s3://AKIDTEST:s3cret@nars", "has a user name or password")]
    [InlineData("s3://nars?compression=zstd", "whose parameter 'compression' is not used here, or there twice; remove it.")]
    [InlineData("s3://nars?region=a&region=b", "whose parameter 'region' is not used here, or there twice; remove it.")]
    [InlineData("s3://nars?region=a/b", "whose region is 'a/b'")]
    [InlineData("s3://nars?priority=low", "whose priority is 'low'; it must be a whole number.")]
    [InlineData("s3://nars?scheme=ftp", "whose endpoint or scheme is none")]
    [InlineData("s3://nars?endpoint=https://minio.corp/sub", "whose endpoint or scheme is none")]
    [InlineData("s3://nars?endpoint=http://169.254.169.254", "whose endpoint or scheme is none")]
    [InlineData("s3://nars?addressing-style=host", "it must be auto, path or virtual.")]
    public void What_is_none_is_refused_with_the_remedy(string text, string expected)
    {
        var fault = BucketUrl.FaultOf(text, _ => null, out var url);

        Assert.Contains(expected, fault, StringComparison.Ordinal);
        Assert.Null(url);
        Assert.DoesNotContain("s3cret", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://169.254.169.254/x")]
    [InlineData("http://[fd00:ec2::254]")]
    [InlineData("http://[::ffff:169.254.169.254]")]
    [InlineData("http://2852039166")]
    public void The_metadata_service_is_nobodys_address(string url)
    {
        using var folder = new Folder();
        foreach (var list in new[] { "upstreams", "caches", "logs" })
        {
            Assert.Contains(Serve(folder, $$"""{ "{{list}}": [{ "name": "a", "url": "{{url}}" }] }"""), fault =>
                fault.StartsWith($"{list}[0].url: is '{url}', where clouds keep the keys of this machine", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("s3://nars", "S3")]
    [InlineData("s3://nars?profile=work", "temporary S3")]
    public void A_credentials_file_has_a_key_for_each_profile(string url, string expected)
    {
        using var folder = new Folder();

        Assert.Equal((expected, ""), Signer(folder, url, $", \"credentialsFile\": \"{Private(folder, Key)}\""));
    }

    [Theory]
    [InlineData("s3://nars?profile=nobody", Key, "which has no profile 'nobody'.")]
    [InlineData("s3://nars?profile=half", Key, "whose profile 'half' has not both aws_access_key_id and aws_secret_access_key")]
    [InlineData("s3://nars", "[default]\naws_access_key_id = a\naws_secret_access_key = s3cret s3cret", "printable ASCII without spaces.")]
    [InlineData("s3://nars", "s3cret", "which has no profile 'default'.")]
    [InlineData("https://nars.example", Key, "is set, and 'url' is no s3:// address; remove it.")]
    public void A_file_without_the_key_is_refused_and_no_secret_is_told(string url, string content, string expected)
    {
        using var folder = new Folder();
        var faults = Serve(folder, Upstream(url, $", \"credentialsFile\": \"{Private(folder, content)}\""));

        Assert.Contains(faults, fault => fault.StartsWith("upstreams[0].credentialsFile: is", StringComparison.Ordinal)
            && fault.Contains(expected, StringComparison.Ordinal));
        Assert.All(faults, fault => Assert.DoesNotContain("s3cret", fault, StringComparison.Ordinal));
    }

    [Fact]
    public void A_credentials_file_that_others_may_read_is_refused()
    {
        using var folder = new Folder();
        var file = Private(folder, Key);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.GroupRead);

        Assert.Contains(Serve(folder, Upstream("s3://nars", $", \"credentialsFile\": \"{file}\"")), fault =>
            fault.Contains("which other users can read: chmod 600 it", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(", \"instanceRole\": true", "instance role's S3", "")]
    [InlineData(", \"instanceRole\": false", "", "")]
    [InlineData(", \"netrcFile\": \"/x\"", "", "upstreams[0].netrcFile: is set for an s3:// address")]
    [InlineData(", \"bearerFile\": \"/x\"", "", "upstreams[0].bearerFile: is set for an s3:// address")]
    [InlineData(", \"instanceRole\": true, \"credentialsFile\": \"FILE\"", "S3", "upstreams[0].instanceRole: is set together with")]
    public void A_role_is_used_where_it_is_asked_for_alone(string keys, string expected, string fault)
    {
        using var folder = new Folder();
        var (signer, found) = Signer(folder, "s3://nars", keys.Replace("FILE", Private(folder, Key), StringComparison.Ordinal));

        Assert.True(fault.Length > 0 || signer == expected, signer);
        Assert.StartsWith(fault, found, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "", "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b", "S3", "")]
    [InlineData(null, "", "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_SESSION_TOKEN=c", "temporary S3", "")]
    [InlineData(null, "", "AWS_ACCESS_KEY_ID=a", null, "AWS_SECRET_ACCESS_KEY: is not set, and AWS_ACCESS_KEY_ID is")]
    [InlineData(null, "", "AWS_SECRET_ACCESS_KEY=b", null, "AWS_ACCESS_KEY_ID: is not set, and AWS_SECRET_ACCESS_KEY is")]
    [InlineData(null, Key, "AWS_SHARED_CREDENTIALS_FILE=@", "S3", "")]
    [InlineData(null, Key, "AWS_SHARED_CREDENTIALS_FILE=@ AWS_PROFILE=work", "temporary S3", "")]
    [InlineData("work", Key, "AWS_SHARED_CREDENTIALS_FILE=@ AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b", "temporary S3", "")]
    [InlineData("nobody", Key, "AWS_SHARED_CREDENTIALS_FILE=@", null, "credentialsFile: is not set, and the environment names")]
    [InlineData(null, "[work]\n", "AWS_SHARED_CREDENTIALS_FILE=@", null, "")]
    [InlineData(null, "", "", null, "")]
    [InlineData("work", "", "", null, "credentialsFile: is missing, and the profile 'work' is named")]
    public void The_environment_is_read_as_the_aws_tools_read_it(
        string? profile, string content, string variables, string? expected, string fault)
    {
        using var folder = new Folder();
        var file = Private(folder, content);
        var environment = variables.Replace("@", file, StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(variable => variable.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        var faults = new List<Fault>();
        var section = new Section(new ConfigurationBuilder().Build(), faults);
        var signer = new BucketCredentials(section, environment.GetValueOrDefault).Read(profile, "us-east-1");

        Assert.Equal(expected, signer?.ToString());
        Assert.StartsWith(fault, string.Join('\n', faults), StringComparison.Ordinal);
        Assert.Equal(fault.Length > 0, faults.Count > 0);
    }

    [Theory]
    [InlineData("\"bucket\": \"nars\"", "https://nars.s3.us-east-1.amazonaws.com/")]
    [InlineData("\"bucket\": \"nars.corp\", \"region\": \"eu-west-1\"", "https://s3.eu-west-1.amazonaws.com/nars.corp")]
    [InlineData("\"bucket\": \"nars\", \"url\": \"http://minio:9000\", \"prefix\": \"/a/b/\"", "http://minio:9000/nars/a/b")]
    public void A_shared_store_has_an_address(string keys, string expected)
    {
        using var folder = new Folder();
        var faults = Serve(folder, $$"""{ "narStore": { "s3": { {{keys}} } } }""", out var read);

        Assert.DoesNotContain(faults, fault => fault.StartsWith("narStore", StringComparison.Ordinal));
        Assert.Equal(expected, read!.Options.NarStore!.Shared!.Base.AbsoluteUri);
    }

    [Theory]
    [InlineData("\"prefix\": \"a\"", "narStore.s3.bucket: is missing. Set it, for example to \"nars\".")]
    [InlineData("\"bucket\": \"a/b\"", "narStore.s3.bucket: is 'a/b'; a bucket has 3 to 63 letters")]
    [InlineData("\"bucket\": \"nars\", \"prefix\": \"a/../b\"", "narStore.s3.prefix: is 'a/../b'; it must be names of letters")]
    [InlineData("\"bucket\": \"nars\", \"region\": \"a b\"", "narStore.s3.region: is 'a b'; a region has letters")]
    [InlineData("\"bucket\": \"nars\", \"url\": \"s3://nars\"", "narStore.s3.url: is 's3://nars'; it must be an address with http://")]
    [InlineData("\"bucket\": \"nars\", \"url\": \"http://169.254.169.254\"", "narStore.s3.url: is 'http://169.254.169.254'")]
    [InlineData("\"bucket\": \"nars\", \"maxAge\": \"00:00:01\"", "narStore.s3.maxAge: is '00:00:01'; it must be a time")]
    [InlineData("\"bucket\": \"nars\", \"credentialsFile\": \"/nowhere\"", "narStore.s3.credentialsFile: is '/nowhere', which cannot")]
    public void A_shared_store_that_is_none_is_refused_with_key_value_and_remedy(string keys, string expected)
    {
        using var folder = new Folder();

        Assert.Contains(Serve(folder, $$"""{ "narStore": { "s3": { {{keys}} } } }"""), fault =>
            fault.StartsWith(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void Guix_has_no_shared_store()
    {
        using var folder = new Folder();

        Assert.Contains(Serve(folder, """{ "store": "/gnu/store", "narStore": { "s3": { "bucket": "nars" } } }"""), fault =>
            fault.StartsWith("narStore.s3: is set, and \"store\" is \"/gnu/store\"", StringComparison.Ordinal));
    }

    private static string Private(Folder folder, string content)
    {
        var file = folder.File("aws", content);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    private static string Upstream(string url, string keys) => $$"""{ "upstreams": [{ "name": "a", "url": "{{url}}"{{keys}} }] }""";

    private static (string Signer, string Fault) Signer(Folder folder, string url, string keys)
    {
        var faults = Serve(folder, Upstream(url, keys), out var read)
            .Where(fault => fault.StartsWith("upstreams", StringComparison.Ordinal));
        return ($"{read?.Options.Upstreams[0].Credentials}", string.Join('\n', faults));
    }

    private static List<string> Serve(Folder folder, string json) => Serve(folder, json, out _);

    private static List<string> Serve(Folder folder, string json, out ServeConfiguration? read)
    {
        var file = folder.File("config.json", $$"""{ "stateDirectory": "{{folder.Path}}/state", {{json.Trim()[1..]}}""");
        var result = ConfigurationFile.Read(file, section => ServeConfiguration.Read(section, isCheck: true));
        read = result.Options;
        return [.. result.Faults.Select(fault => $"{fault}")];
    }
}

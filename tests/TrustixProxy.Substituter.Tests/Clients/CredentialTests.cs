using System.Net;
using System.Net.Http.Headers;
using System.Text;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Clients;

public sealed class CredentialTests
{
    [Theory]
    [InlineData("Basic", "alice:pass:word", true)]
    [InlineData("bASIC", "alice:pass:word", true)]
    [InlineData("Bearer", "token-of-bob", true)]
    [InlineData("Basic", "alice:pass", false)]
    [InlineData("Basic", "alice:pass:word2", false)]
    [InlineData("Basic", "bob:token-of-bob", false)]
    [InlineData("Basic", "", false)]
    [InlineData("Bearer", "pass:word", false)]
    [InlineData("Bearer", "alice:pass:word", false)]
    [InlineData("Bearer", "Token-of-bob", false)]
    [InlineData("Digest", "alice:pass:word", false)]
    public async Task Only_who_shows_a_secret_is_answered(string scheme, string secret, bool isKnown)
    {
        await using var proxy = await StartAsync();

        foreach (var path in new[] { "nix-cache-info", $"{TestOutput.Make().Path.Digest}.narinfo", "nar/x" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, path));
            request.Headers.Authorization = new AuthenticationHeaderValue(scheme, scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase)
                ? Convert.ToBase64String(Encoding.UTF8.GetBytes(secret)) : secret);
            using var response = await proxy.Client.SendAsync(request);
            Assert.Equal(isKnown, response.StatusCode is not HttpStatusCode.Unauthorized);
        }
    }

    [Fact]
    public async Task Who_shows_nothing_or_nonsense_is_told_how_to()
    {
        await using var proxy = await StartAsync();

        foreach (var shown in new[] { null, "", "Basic", "Basic !!", "Basic YWxpY2U", "Bearer", "Bearer ", " ",
            "Bearer token-of-bob, Bearer token-of-bob" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, "nix-cache-info"));
            request.Headers.TryAddWithoutValidation("Authorization", shown is null ? [] : [shown]);
            using var response = await proxy.Client.SendAsync(request);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Equal(["Basic realm=\"trustix-proxy\", charset=\"UTF-8\"", "Bearer realm=\"trustix-proxy\""],
                response.Headers.WwwAuthenticate.Select(challenge => challenge.ToString()));
        }
    }

    [Fact]
    public void One_secret_for_two_clients_is_noticed()
    {
        var credentials = new ClientCredentials();

        Assert.True(credentials.TryAdd(ClientScheme.Bearer, "a", "secret"));
        Assert.True(credentials.TryAdd(ClientScheme.Basic, "a", "secret"));
        Assert.False(credentials.TryAdd(ClientScheme.Bearer, "b", "secret"));
    }

    private static async Task<TestProxy> StartAsync()
    {
        var credentials = new ClientCredentials();
        credentials.TryAdd(ClientScheme.Basic, "alice", "pass:word");
        credentials.TryAdd(ClientScheme.Bearer, "bob", "token-of-bob");
        return await new TestProxy
        {
            Change = options =>
            options with { FrontDoor = options.FrontDoor with { Credentials = credentials } }
        }.StartAsync();
    }
}

using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Buckets;
using TrustixProxy.Testing;

namespace TrustixProxy.IO.Tests.Buckets;

/// <summary>Keys of an instance role, from a metadata service that wants a session token.</summary>
public sealed class InstanceRoleTests
{
    [Fact]
    public async Task A_key_comes_by_a_session_token_and_is_asked_for_once()
    {
        await using var service = await Metadata.StartAsync();
        using var role = new InstanceRole(service.Url, new ManualTime());

        var keys = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => role.GetAsync(default).AsTask()));

        Assert.Equal(new AwsCredentials("ID1", "SECRET1", "TOKEN1"), keys.Distinct().Single());
        Assert.Equal(1, service.Keys);
    }

    [Fact]
    public async Task A_key_is_renewed_in_the_background_before_it_expires()
    {
        await using var service = await Metadata.StartAsync();
        var clock = new ManualTime();
        using var role = new InstanceRole(service.Url, clock);
        await role.GetAsync(default);

        clock.Now += TimeSpan.FromMinutes(56);
        Assert.Equal("ID1", (await role.GetAsync(default)).AccessKeyId); // nobody waits
        await Eventually.UntilAsync(async () => (await role.GetAsync(default)).AccessKeyId is "ID2");

        Assert.Equal(2, service.Keys);
    }

    [Fact]
    public async Task While_the_service_is_away_the_old_key_is_used_to_its_end_and_not_longer()
    {
        await using var service = await Metadata.StartAsync();
        var clock = new ManualTime();
        using var role = new InstanceRole(service.Url, clock);
        await role.GetAsync(default);
        service.Status = StatusCodes.Status500InternalServerError;

        clock.Now += TimeSpan.FromMinutes(59);
        Assert.Equal("ID1", (await role.GetAsync(default)).AccessKeyId);
        clock.Now += TimeSpan.FromMinutes(2);
        await Assert.ThrowsAsync<NoInstanceRoleException>(() => role.GetAsync(default).AsTask());

        service.Status = StatusCodes.Status200OK;
        clock.Now += TimeSpan.FromSeconds(10);
        Assert.Equal("ID2", (await role.GetAsync(default)).AccessKeyId);
    }

    [Theory]
    [InlineData(404, "", "HTTP 404")]
    [InlineData(302, "", "HTTP 302")]
    [InlineData(200, "{ \"Code\": \"Failed\", \"AccessKeyId\": \"s3cret\" }", "its answer is no key")]
    [InlineData(200, "s3cret", "its answer is no key")]
    public async Task What_is_no_key_is_none_and_is_not_shown(int status, string answer, string reason)
    {
        await using var service = await Metadata.StartAsync();
        (service.Status, service.Answer) = (status, answer);
        using var role = new InstanceRole(service.Url, new ManualTime());

        var exception = await Assert.ThrowsAsync<NoInstanceRoleException>(() => role.GetAsync(default).AsTask());

        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", $"{exception}", StringComparison.Ordinal);
        Assert.DoesNotContain("/stolen", service.Paths);
    }

    private sealed class Metadata : FakeServer
    {
        private int _keys;

        public int Status { get; set; } = StatusCodes.Status200OK;

        public string? Answer { get; set; }

        public int Keys => _keys;

        public System.Collections.Concurrent.ConcurrentQueue<string> Paths { get; } = new();

        public static async Task<Metadata> StartAsync()
        {
            var service = new Metadata();
            await service.ListenAsync();
            return service;
        }

        protected override async Task AnswerAsync(HttpContext context)
        {
            var (request, path) = (context.Request, context.Request.Path.Value!);
            Paths.Enqueue(path);
            context.Response.StatusCode = Status;
            context.Response.Headers.Location = Status is 302 ? "/stolen" : default;
            if (request.Method is "PUT" && path is "/latest/api/token"
                && request.Headers.ContainsKey("X-aws-ec2-metadata-token-ttl-seconds"))
            {
                await context.Response.WriteAsync("session");
            }
            else if (request.Headers["X-aws-ec2-metadata-token"] != "session")
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            }
            else if (path is "/latest/meta-data/iam/security-credentials/")
            {
                await context.Response.WriteAsync("builder\n");
            }
            else
            {
                var number = Interlocked.Increment(ref _keys);
                await context.Response.WriteAsync(Answer ?? $$"""
                    { "Code": "Success", "AccessKeyId": "ID{{number}}", "SecretAccessKey": "SECRET{{number}}", "Token": "TOKEN{{number}}",
                      "Expiration": "2030-01-01T0{{number}}:00:00Z" }
                    """);
            }
        }
    }
}

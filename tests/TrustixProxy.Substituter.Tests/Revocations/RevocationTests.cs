using System.Net;
using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Revocations;

/// <summary>What a person has revoked is served no longer.</summary>
public sealed class RevocationTests
{
    [Fact]
    public async Task A_nar_that_is_revoked_while_an_upstream_is_waited_for_is_not_begun()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        var (asked, revoked) = (new TaskCompletionSource(), new TaskCompletionSource());
        proxy.Upstream().Intercept = async context =>
        {
            if (context.Request.Path.Value!.Contains("/nar/", StringComparison.Ordinal))
            {
                asked.TrySetResult();
                await revoked.Task;
            }

            return false;
        };

        var nar = proxy.AskAsync(narInfo.Url);
        await asked.Task;
        using var revoker = new Revoker(proxy.Options!);
        Assert.Equal(
            (1, true, null), await revoker.RevokeAsync(new RevokedSubject.Path(output.Path.Digest), isUndone: false, "no", default));
        revoked.SetResult();

        Assert.Equal((HttpStatusCode.NotFound, "revoked"), ((await nar).Status, (await nar).Decision));
        Assert.Equal("revoked", (await proxy.AskAsync(output.Path)).Decision);
    }

    [Fact]
    public void Of_two_words_on_one_subject_the_later_holds_in_whatever_order_they_are_heard()
    {
        var (path, now) = (new RevokedSubject.Path(TestOutput.PathOf("x").Digest), DateTimeOffset.UnixEpoch);
        Revocation[] words = [
            new(1, path, false, "a", now), new(2, path, true, "b", now), new(3, path, false, "c", now), new(3, path, true, "d", now)];

        Assert.True(words[0].Beats(null));
        Assert.All(words.Zip(words.Skip(1)).Take(2), pair => Assert.True(pair.Second.Beats(pair.First) && !pair.First.Beats(pair.Second)));
        Assert.True(words[2].Beats(words[3])); // of two with one number, the one that revokes
        Assert.False(words[3].Beats(words[2]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("path")]
    [InlineData("path x")]
    [InlineData("nar sha1:0000000000000000000000000000000000000000")]
    [InlineData("log alice 1")]
    [InlineData("log aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -1")]
    [InlineData("log aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 01")]
    public void What_is_no_subject_is_refused(string text) => Assert.False(RevokedSubject.TryParse(text, out _));

    [Fact]
    public void A_record_is_of_its_subject_and_key_only()
    {
        var (key, at) = (NixSecretKey.Generate("k-1"), DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_000));
        var revocation = new Revocation(7, new RevokedSubject.Nar(NixHash.Sha256(new byte[32])), false, "why", at);
        var (seal, name) = (new RecordSeal(key, []), revocation.Subject.ToString());
        var bytes = revocation.Seal(seal);

        Assert.Equal(revocation, Revocation.Open(seal, name, bytes));
        Assert.Null(Revocation.Open(seal, new RevokedSubject.Log(new string('a', 64), 1).ToString(), bytes));
        Assert.Null(Revocation.Open(new RecordSeal(NixSecretKey.Generate("k-1"), []), name, bytes));
        Assert.Equal(revocation, Revocation.Open(new RecordSeal(NixSecretKey.Generate("k-2"), [key]), name, bytes));
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.Null(Revocation.Open(seal, name, bytes));
            bytes[i] ^= 1;
        }
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("{\"verb\":\"stop\",\"subject\":\"x\",\"reason\":\"x\",\"isUndone\":false}")]
    [InlineData("{\"verb\":\"revoke\",\"subject\":\"path x\",\"reason\":\"x\",\"isUndone\":false}")]
    public async Task A_request_that_is_none_is_answered_with_a_fault(string line)
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        using var socket = new System.Net.Sockets.Socket(
            System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(Path.Combine(proxy.StateDirectory, "control.sock")));
        await socket.SendAsync(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
        var buffer = new byte[4096];

        var reply = JsonDocument.Parse(buffer.AsMemory(0, await socket.ReceiveAsync(buffer)));

        Assert.NotEmpty(reply.RootElement.GetProperty("fault").GetString()!);
    }
}

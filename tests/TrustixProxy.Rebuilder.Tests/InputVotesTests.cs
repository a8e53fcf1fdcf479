using System.Net;
using System.Net.Sockets;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Builds;
using TrustixProxy.Rebuilder.Stores;
using TrustixProxy.Testing;

namespace TrustixProxy.Rebuilder.Tests;

public sealed class InputVotesTests
{
    private readonly TestOutput _output = TestOutput.Make();

    [Theory]
    [InlineData("agreed", "agreed", true)]
    [InlineData("content-addressed", "content-addressed", false)]
    [InlineData("\e]0;owned\a", "no decision", false)]
    [InlineData("agreed \u009b31m", "no decision", false)]
    [InlineData("Agreed, by everyone", "no decision", false)]
    public async Task A_decision_is_a_word_or_is_none(string header, string decision, bool isVotedFor)
    {
        var vote = await AskAsync(header);

        Assert.Equal(decision, vote.Decision);
        Assert.Equal(isVotedFor, vote.IsVotedFor(_output.Statement.NarHash));
    }

    /// <summary>Asks a server that writes this header as it is.</summary>
    private async Task<InputVote> AskAsync(string header)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var text = _output.NarInfo().ToString();
        var answering = AnswerAsync(listener, $"HTTP/1.1 200 OK\r\nX-Trustix-Decision: {header}\r\nConnection: close\r\n"
            + $"Content-Length: {text.Length}\r\n\r\n{text}");
        using var votes = new InputVotes(new Uri($"http://{listener.LocalEndpoint}"), TimeProvider.System);

        var vote = await votes.AskAsync(new OwnPath(new DescribedOutput(_output.Statement, true, null), ProvesItself: false), default);

        await answering;
        return vote;
    }

    private static async Task AnswerAsync(TcpListener listener, string response)
    {
        using var client = await listener.AcceptTcpClientAsync();
        await using var stream = client.GetStream();
        await stream.ReadAtLeastAsync(new byte[4096], 1);
        await stream.WriteAsync(Encoding.Latin1.GetBytes(response));
    }
}

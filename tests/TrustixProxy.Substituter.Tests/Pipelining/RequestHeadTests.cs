using System.Text;
using TrustixProxy.Substituter.Pipelining;

namespace TrustixProxy.Substituter.Tests.Pipelining;

public sealed class RequestHeadTests
{
    private const string Digest = "0123456789abcdfghijklmnpqrsvwxyz";

    private static readonly SenderHeaders Alice = new("Basic YWxpY2U6cGFzcw==", "192.0.2.1");

    [Theory]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("HEAD /@.narinfo HTTP/1.1\r\nhost:x\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: [fe80::1]\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: GNU Guile\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nAccept: */*\r\nX-Empty:\r\n\r\n")]
    public void A_plain_request_for_a_narinfo_is_seen_with_its_digest(string text)
    {
        Assert.Equal(HeadReading.Whole, Read(text, out var head));
        Assert.Equal((text.Length + Digest.Length - 1, Digest), (head.Length, $"{head.Digest}"));
    }

    [Theory]
    [InlineData("/nix-cache-info")]
    [InlineData("/")]
    [InlineData("/nar/@/x/none")]
    [InlineData("/@.narinfo?priority=1")]
    [InlineData("/@.NARINFO")]
    [InlineData("//@.narinfo")]
    [InlineData("/./@.narinfo")]
    [InlineData("/%30123456789abcdfghijklmnpqrsvwxyz.narinfo")]
    [InlineData("/0123456789ABCDFGHIJKLMNPQRSVWXYZ.narinfo")]
    [InlineData("/e123456789abcdfghijklmnpqrsvwxyz.narinfo")]
    [InlineData("/0@.narinfo")]
    public void Any_other_target_is_passed_over(string target)
    {
        Assert.Equal(HeadReading.Whole, Read($"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n", out var head));
        Assert.Null(head.Digest);
    }

    [Theory]
    [InlineData("POST /@.narinfo HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("get /@.narinfo HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("GET http://x/@.narinfo HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("GET  /@.narinfo HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("GET /@.narinfo  HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.0\r\nHost: x\r\n\r\n")]
    [InlineData("GET /@.narinfo\r\nHost: x\r\n\r\n")]
    [InlineData("GET /\u00e9 HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [InlineData("\r\nGET /@.narinfo HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\nHost: x\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\n\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost:\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x:y\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x/y\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\ncontent-length:0\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nTRANSFER-ENCODING: chunked\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n")]
    [InlineData("GET /@.narinfo HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n\r\n")]
    public void What_may_have_a_body_or_may_be_read_differently_ends_the_look(string text) =>
        Assert.Equal(HeadReading.Other, Read(text, out _));

    [Theory]
    [InlineData("GET /0.narinfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")]
    [InlineData("GET /0.narinfo HTTP/1.1\r\nConnection:  Close \r\nHost: x\r\n\r\n")]
    public void Behind_a_request_that_closes_the_connection_nothing_is_answered(string text) =>
        Assert.Equal(HeadReading.Last, Read(text, out _));

    [Theory]
    [InlineData("Authorization: Basic YWxpY2U6cGFzcw==\r\nX-Forwarded-For: 192.0.2.1", true)]
    [InlineData("x-forwarded-for: 192.0.2.1\r\nauthorization:Basic YWxpY2U6cGFzcw==", true)]
    [InlineData("Authorization: Basic YWxpY2U6cGFzcw==", false)]
    [InlineData("X-Forwarded-For: 192.0.2.1", false)]
    [InlineData("Authorization: Basic Ym9iOnBhc3M=\r\nX-Forwarded-For: 192.0.2.1", false)]
    [InlineData("Authorization: Basic YWxpY2U6cGFzcw==\r\nX-Forwarded-For: 192.0.2.2", false)]
    [InlineData("Authorization: Basic YWxpY2U6cGFzcw==\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.1", false)]
    [InlineData("Authorization: Basic YWxpY2U6cGFzcw==\r\nX-Forwarded-For: 192.0.2.1\r\nUser-Agent: trustix-proxy/1 (0123)", false)]
    public void Only_requests_of_the_same_client_are_looked_for(string headers, bool isSame)
    {
        var text = $"GET /{Digest}.narinfo HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n";

        Assert.Equal(HeadReading.Whole, RequestHead.Read(new(Encoding.Latin1.GetBytes(text)), Alice, out var head));
        Assert.Equal((text.Length, isSame), (head.Length, head.Digest is not null));
    }

    [Fact]
    public void Who_shows_credentials_is_not_who_shows_none()
    {
        var text = $"GET /{Digest}.narinfo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n";

        Assert.Equal(HeadReading.Whole, Read(text, out var head));
        Assert.Null(head.Digest);
    }

    [Theory]
    [InlineData(4 << 10, 0, 1)]
    [InlineData(0, 16 << 10, 1)]
    [InlineData(0, 300, 60)]
    [InlineData(0, 0, 64)]
    public void A_head_over_the_limits_of_the_server_ends_the_look_whether_it_is_there_in_full_or_not(int target, int header, int headers)
    {
        var text = $"GET /{new string('a', target)} HTTP/1.1\r\nHost: x\r\n"
            + string.Concat(Enumerable.Repeat($"X: {new string('a', header)}\r\n", headers));

        Assert.Equal(HeadReading.Other, Read(text + "\r\n", out _));
        Assert.Equal(HeadReading.Other, Read(text, out _));
    }

    [Fact]
    public void A_line_without_an_end_is_waited_for_no_longer_than_it_may_be()
    {
        Assert.Equal(HeadReading.Incomplete, Read("GET /" + new string('a', 4000), out _));
        Assert.Equal(HeadReading.Other, Read("GET /" + new string('a', 5000), out _));
        Assert.Equal(HeadReading.Other, Read("GET / HTTP/1.1\r\nX: " + new string('a', 17_000), out _));
        Assert.Equal(HeadReading.Other, Read("GET / HTTP/1.1\r\nX: " + new string('a', 100_000), out _));
    }

    private static HeadReading Read(string text, out RequestHead head) => RequestHead.Read(
        new(Encoding.Latin1.GetBytes(text.Replace("@", Digest, StringComparison.Ordinal))), SenderHeaders.None, out head);
}

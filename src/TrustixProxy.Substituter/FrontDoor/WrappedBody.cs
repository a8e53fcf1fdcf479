using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>An answer's body that goes through a stream of ours. A file is opened before the answer begins, as the server's own body does:
/// one that is gone is no answer yet.</summary>
/// <param name="stream">The stream.</param>
/// <param name="before">The body that it writes to.</param>
internal sealed class WrappedBody(Stream stream, IHttpResponseBodyFeature before) : StreamResponseBodyFeature(stream, before)
{
    public override Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken) =>
        SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken);
}

using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Routes a response body through our stream. Opens files before the response starts, as the server does, so a missing file can
/// still fail.</summary>
/// <param name="before">The body that it writes to.</param>
internal sealed class WrappedBody(Stream stream, IHttpResponseBodyFeature before) : StreamResponseBodyFeature(stream, before)
{
    public override Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken) =>
        SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken);
}

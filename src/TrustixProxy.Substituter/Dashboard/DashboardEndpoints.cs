using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Connections;
using TrustixProxy.IO.Pages;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Health;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Serves the dashboard: server-rendered pages, one style sheet, one script, and change events.</summary>
/// <remarks>
/// <code>
/// /                overview (?span=day)              /conflicts             disagreements between electors
/// /paths           the last decisions               /work                  the work list
/// /path/DIGEST     the last decision on it          /doctor                the last report of trustix-proxy doctor
/// /path?q=TEXT     goes there, or searches          /elector?name=NAME     one elector
/// /closure/DIGEST  its closure as a tree            /upstream?name=NAME    one upstream
/// /events          server-sent events
/// </code>
/// The Content-Security-Policy allows no foreign content and no code except the one script.</remarks>
/// <param name="mayReadWanted">Whether a request may see the work list.</param>
internal sealed class DashboardEndpoints(
    CurrentParts parts,
    HealthCheck check,
    DecisionJournal journal,
    string stateDirectory,
    LiveEvents events,
    Func<HttpContext, bool> mayReadWanted)
{
    private const string ContentSecurityPolicy =
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
            + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    private static readonly byte[] Style = Read("dashboard.css"), Script = Read("dashboard.js");

    /// <summary>Answers a GET or HEAD; null if the path is not the dashboard's.</summary>
    public Task? TryAnswer(HttpContext context)
    {
        const string paths = "/path/", closures = "/closure/";
        var path = context.Request.Path.Value ?? "";
        return path switch
        {
            "/" => WriteAsync(context, OverviewPage.Of(parts.Value, check.Look(), journal, isDay: context.Request.Query["span"] == "day")),
            "/paths" => WriteAsync(context, PathsPage.Of(journal)),
            "/conflicts" => WriteAsync(context, ConflictsPage.Of(journal, parts.Value.Policy, parts.Value.RefusedNars.List())),
            "/work" => WriteAsync(context, WorkPage.Of(mayReadWanted(context) ? ListWanted() : null)),
            "/elector" => TryWrite(context, ElectorPage.Of(context.Request.Query["name"].ToString(), parts.Value, check.Look(), journal)),
            "/upstream" => TryWrite(context, UpstreamPage.Of(context.Request.Query["name"].ToString(), parts.Value, check.Look())),
            "/doctor" => WriteAsync(context, DoctorPage.Of(DoctorSummary.Read(stateDirectory))),
            "/path" => Find(context, context.Request.Query["q"].ToString().Trim()),
            "/events" when HttpMethods.IsGet(context.Request.Method) => LiveAsync(context),
            "/dashboard.css" => WriteAsync(context, StatusCodes.Status200OK, "text/css; charset=utf-8", Style),
            "/dashboard.js" => WriteAsync(context, StatusCodes.Status200OK, "text/javascript; charset=utf-8", Script),
            _ when path.StartsWith(paths, StringComparison.Ordinal)
                && StorePathDigest.TryParse(path.AsSpan(paths.Length), out var digest) => ShowAsync(context, digest),
            _ when path.StartsWith(closures, StringComparison.Ordinal)
                && StorePathDigest.TryParse(path.AsSpan(closures.Length), out var root) =>
                TryWrite(context, ClosurePage.Of(root, parts.Value, journal)),
            _ => null,
        };
    }

    private Task ShowAsync(HttpContext context, StorePathDigest digest)
    {
        var (page, isKnown) = DecisionPage.Of(digest, parts.Value, journal);
        return WriteAsync(context, page, isKnown ? StatusCodes.Status200OK : StatusCodes.Status404NotFound);
    }

    private WantedList ListWanted() =>
        WantedList.Of(parts.Value.Wanted, parts.Value.WantedNames).With(DoctorSummary.RootsOf(stateDirectory));

    private Task Find(HttpContext context, string text)
    {
        var name = StorePath.TryParseAbsolute(text, out var absolute, out _) ? absolute : StorePath.TryParse(text, out var bare, out _)
            ? bare : null;
        if ((name?.Digest ?? (StorePathDigest.TryParse(text, out var alone) ? alone : null)) is not { } digest)
        {
            var (page, isFound) = PathsPage.Find(text, journal);
            return WriteAsync(context, page, isFound ? StatusCodes.Status200OK : StatusCodes.Status404NotFound);
        }

        SetHeaders(context.Response);
        (context.Response.StatusCode, context.Response.Headers.Location) = (StatusCodes.Status303SeeOther, $"/path/{digest}");
        return Task.CompletedTask;
    }

    private Task LiveAsync(HttpContext context)
    {
        SetHeaders(context.Response);
        return events.AnswerAsync(context);
    }

    private static Task? TryWrite(HttpContext context, Html? page) => page is null ? null : WriteAsync(context, page);

    private static Task WriteAsync(HttpContext context, Html page, int status = StatusCodes.Status200OK) =>
        WriteAsync(context, status, "text/html; charset=utf-8", Encoding.UTF8.GetBytes(page.ToString()));

    private static Task WriteAsync(HttpContext context, int status, string type, byte[] body)
    {
        SetHeaders(context.Response);
        return context.WriteBodyAsync(status, type, body);
    }

    private static void SetHeaders(HttpResponse response)
    {
        response.Headers.ContentSecurityPolicy = ContentSecurityPolicy;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.XFrameOptions = "DENY";
        response.Headers["Referrer-Policy"] = "no-referrer";
        response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
        response.Headers["Cross-Origin-Opener-Policy"] = "same-origin";
        response.Headers.CacheControl = "no-store";
    }

    private static byte[] Read(string name)
    {
        using var resource = typeof(DashboardEndpoints).Assembly.GetManifestResourceStream(typeof(DashboardEndpoints), name)!;
        using var bytes = new MemoryStream();
        resource.CopyTo(bytes);
        return bytes.ToArray();
    }
}

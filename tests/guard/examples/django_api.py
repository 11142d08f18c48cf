"""An API with Django, in one file: the guard is a decorator of synchronous and asynchronous views."""

import os

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from wanted import METADATA, make_guard

from keyfob.guard.django import require

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    SECRET_KEY=os.urandom(32).hex(),
)
guard = make_guard()


@require(guard, "orders:read", resource_metadata=METADATA)
def show(request: HttpRequest, order: str) -> JsonResponse:
    return JsonResponse({"client": request.access_token.client_id, "order": order})


@require(guard, "orders:read orders:write", resource_metadata=METADATA)
async def place(request: HttpRequest, order: str) -> JsonResponse:
    return JsonResponse({"client": request.access_token.client_id, "order": order})


def health(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


class ByMethod:
    """One URL, one view a method: Django's URLs know no methods."""

    csrf_exempt = True

    def __call__(self, request: HttpRequest, order: str) -> object:
        return show(request, order) if request.method == "GET" else async_to_sync(place)(request, order)


urlpatterns = [path("orders/<str:order>", ByMethod()), path("health", health)]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
